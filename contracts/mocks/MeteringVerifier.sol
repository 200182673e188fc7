// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/// @title Test double that pays for a verification and accepts whatever comes of it
/// @notice The pairing check costs the same for points that satisfy it and points that do not, so gas can be measured without proving.
contract MeteringVerifier is IProofVerifier {
    IProofVerifier private immutable _inner;

    constructor(IProofVerifier inner) {
        _inner = inner;
    }

    function verify(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[4] calldata signals
    ) external view returns (bool) {
        _inner.verify(a, b, c, signals);
        return true;
    }

    function capacity() external view returns (uint256) {
        return _inner.capacity();
    }

    function developmentKey() external view returns (bool) {
        return _inner.developmentKey();
    }
}
