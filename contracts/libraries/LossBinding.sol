// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FIELD_ORDER} from "../types/Limits.sol";
import {TAG_BINDING} from "../types/Tags.sol";

/// @title Binds a proof of reported loss to the commitments of one round
/// @notice The circuit publishes D, a hash of its own vector v', and checks Σ v'_j r^j = E. Both r and E come from here, from the contract's
/// vector v = [run·2^32 + round, then per accepted update: lossCommitment, memberId·2^32 + samples]. r depends on D, so v' was fixed before r;
/// two vectors of length m that differ agree at r with probability below m/p. r from v alone would let a prover choose v' to fit.
library LossBinding {
    /// @notice r and E (docs/protocol.md, "Proof of reported loss").
    /// @param v unpadded; the circuit's further slots are 0 and add nothing to the sum.
    function challenge(
        address proofOfTraining,
        uint64 run,
        uint32 round,
        bytes32 head,
        uint32 reportedLoss,
        uint256[] memory v,
        uint256 bindingDigest
    ) internal view returns (uint256 r, uint256 evaluation) {
        bytes32 vectorDigest;
        assembly ("memory-safe") {
            vectorDigest := keccak256(add(v, 0x20), mul(mload(v), 0x20))
        }
        r = uint256(
            keccak256(
                abi.encode(
                    TAG_BINDING, block.chainid, proofOfTraining, run, round, head, reportedLoss, vectorDigest, bindingDigest
                )
            )
        ) % FIELD_ORDER;
        // Horner's rule, from the last element down to the first.
        assembly ("memory-safe") {
            for { let at := add(v, mul(mload(v), 0x20)) } gt(at, v) { at := sub(at, 0x20) } {
                evaluation := addmod(mulmod(evaluation, r, FIELD_ORDER), mload(at), FIELD_ORDER)
            }
        }
    }
}
