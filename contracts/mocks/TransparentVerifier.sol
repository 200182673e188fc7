// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/// @title Test double of a loss verifier: a proof "holds" if its first word is the hash of the public signals
/// @notice Anyone can make such proofs, but like real ones they hold for one set of signals only, so that replayed and foreign proofs fail.
contract TransparentVerifier is IProofVerifier {
    uint256 public immutable capacity;
    bool public immutable developmentKey;

    constructor(uint256 capacity_, bool developmentKey_) {
        capacity = capacity_;
        developmentKey = developmentKey_;
    }

    function verify(
        uint256[2] calldata a,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[4] calldata signals
    ) external pure returns (bool) {
        return a[0] == uint256(keccak256(abi.encode(signals)));
    }
}
