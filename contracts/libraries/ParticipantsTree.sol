// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CommittedUpdate} from "../types/RoundTypes.sol";

/// @title Merkle tree over the accepted updates, in the shape of RFC 6962
/// @dev Its TypeScript twin is `participantsRoot` in `src/protocol/attestation.ts`. Assembly, because finalisation does this for every update.
library ParticipantsTree {
    /// @notice keccak256(0x00 ‖ memberId u32 ‖ commitIndex u32 ‖ artifactDigest ‖ artifactCid ‖ samples u32 ‖ lossCommitment ‖ weights u32…)
    /// @param row first weight of the update in `weights`; it has `groups` of them, and `weights` is that long (the caller's duty).
    /// @dev Each store spills past its four bytes, and the next one covers the spill. The caller has checked the fields' ranges
    /// (CommitSlot.digest); weights outside 32 bits lose their high bits here and fail the caller's column sums.
    function leaf(CommittedUpdate calldata update, uint32[] calldata weights, uint256 row, uint256 groups)
        internal
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0)
            mstore(add(buffer, 1), shl(224, calldataload(update)))
            mstore(add(buffer, 5), shl(224, calldataload(add(update, 0x20))))
            calldatacopy(add(buffer, 9), add(update, 0x40), 0x40)
            mstore(add(buffer, 73), shl(224, calldataload(add(update, 0x80))))
            mstore(add(buffer, 77), calldataload(add(update, 0xa0)))
            let from := add(weights.offset, mul(row, 0x20))
            let to := add(buffer, 109)
            for { let end := add(to, mul(groups, 4)) } lt(to, end) { to := add(to, 4) } {
                mstore(to, shl(224, calldataload(from)))
                from := add(from, 0x20)
            }
            hash := keccak256(buffer, sub(to, buffer))
        }
    }

    /// @notice Root over leaf hashes; of none, keccak256 of the empty string. Overwrites `nodes`.
    /// @dev Pairing level by level and carrying an odd last node up gives RFC 6962's split at the largest power of two below the count.
    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 count = nodes.length;
        if (count == 0) return keccak256("");
        while (count > 1) {
            uint256 half = count / 2;
            assembly ("memory-safe") {
                let buffer := mload(0x40)
                mstore8(buffer, 1)
                let first := add(nodes, 0x20)
                for { let i := 0 } lt(i, half) { i := add(i, 1) } {
                    mcopy(add(buffer, 1), add(first, mul(i, 0x40)), 0x40)
                    mstore(add(first, mul(i, 0x20)), keccak256(buffer, 0x41))
                }
            }
            if (count % 2 == 1) nodes[half++] = nodes[count - 1];
            count = half;
        }
        return nodes[0];
    }
}
