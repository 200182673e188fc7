// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CommittedUpdate, UpdateCommitment} from "../types/RoundTypes.sol";
import {UPDATE_COMMITMENT_TYPEHASH} from "../types/Tags.sol";

/// @title What the ledger stores of a commit, and what its member signs
library CommitSlot {
    /// @notice keccak256(abi.encode(run, round, memberId, commitIndex, artifactDigest, artifactCid, samples, lossCommitment, extension = 0)).
    /// @dev The six words of the update are hashed as they came: they lie in calldata in this very order, and a word outside its type's range
    /// matches no commit. Assembly, because finalisation does this for every update.
    function digest(uint64 run, uint32 round, CommittedUpdate calldata update) internal pure returns (bytes32 slot) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, run)
            mstore(add(buffer, 0x20), round)
            calldatacopy(add(buffer, 0x40), update, 0xc0)
            mstore(add(buffer, 0x100), 0)
            slot := keccak256(buffer, 0x120)
        }
    }

    /// @notice The same for a commitment that is being made. The caller has checked the fields' ranges by reading them.
    function digest(UpdateCommitment calldata commitment, uint256 commitIndex) internal pure returns (bytes32 slot) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, commitment, 0x60)
            mstore(add(buffer, 0x60), commitIndex)
            calldatacopy(add(buffer, 0x80), add(commitment, 0x60), 0xa0)
            slot := keccak256(buffer, 0x120)
        }
    }

    /// @notice EIP-712 struct hash of the commitment on a head: typeHash, run, round, head, memberId and the rest in its order.
    function structHash(UpdateCommitment calldata commitment, bytes32 head) internal pure returns (bytes32 hash) {
        bytes32 typeHash = UPDATE_COMMITMENT_TYPEHASH;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, typeHash)
            calldatacopy(add(buffer, 0x20), commitment, 0x40)
            mstore(add(buffer, 0x60), head)
            calldatacopy(add(buffer, 0x80), add(commitment, 0x40), 0xc0)
            hash := keccak256(buffer, 0x140)
        }
    }
}
