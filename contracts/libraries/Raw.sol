// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Credit} from "../types/Credit.sol";
import {CommittedUpdate} from "../types/RoundTypes.sol";

/// @title Array access without bounds or range checks
/// @notice For the loop over updates in `finalise` and the sort in `bookScores`, where the checks cost more than the work. Whoever calls this has
/// compared the index with the array's length, and says why the words read from calldata are in range.
library Raw {
    function at(bytes32[] memory words, uint256 i) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(add(words, add(0x20, shl(5, i))))
        }
    }

    function at(uint32[] calldata words, uint256 i) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(words.offset, shl(5, i)))
        }
    }

    /// @notice keccak256(abi.encodePacked(words)): a word for each. `_tally` reads every one with its range check.
    function hash(int32[] calldata words) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let size := shl(5, words.length)
            calldatacopy(buffer, words.offset, size)
            value := keccak256(buffer, size)
        }
    }

    function at(CommittedUpdate[] calldata updates, uint256 i) internal pure returns (CommittedUpdate calldata update) {
        assembly ("memory-safe") {
            update := add(updates.offset, mul(i, 0xc0))
        }
    }

    function memberIdOf(CommittedUpdate calldata update) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(update)
        }
    }

    function commitIndexOf(CommittedUpdate calldata update) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(update, 0x20))
        }
    }

    function samplesOf(CommittedUpdate calldata update) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(update, 0x80))
        }
    }

    function at(int32[] memory words, uint256 i) internal pure returns (int32 value) {
        assembly ("memory-safe") {
            value := mload(add(words, add(0x20, shl(5, i))))
        }
    }

    function put(int32[] memory words, uint256 i, int32 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, add(0x20, shl(5, i))), value)
        }
    }

    function put(uint32[] memory words, uint256 i, uint32 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, add(0x20, shl(5, i))), value)
        }
    }

    function put(bytes32[] memory words, uint256 i, bytes32 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, add(0x20, shl(5, i))), value)
        }
    }

    function put(Credit[] memory words, uint256 i, Credit value) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, add(0x20, shl(5, i))), value)
        }
    }

    function put(uint256[] memory words, uint256 i, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, add(0x20, shl(5, i))), value)
        }
    }
}
