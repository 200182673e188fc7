// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ScoreReveal} from "../types/RewardTypes.sol";
import {TAG_SCORES} from "../types/Tags.sol";
import {Quorum} from "./Quorum.sol";
import {Raw} from "./Raw.sol";

/// @title Scores that validators give on data of their own
/// @notice Each commits to its scores with its seal, before it can have seen another's, and shows them afterwards. What counts is the lower
/// median of those shown: with at least 2f+1 of them, f liars move it no further than to another honest validator's score.
library AttestedScores {
    using Raw for int32[];

    struct State {
        /// By validator index.
        uint32 revealed;
        bool booked;
        mapping(uint8 validatorIndex => bytes32) commitments;
    }

    /// @notice keccak256(abi.encode(tag("scores"), chainId, rewards, run, round, validatorIndex, salt, scores)). The round fixes the validator
    /// set, so the index names one validator, and nobody else can open a copy.
    function commitment(
        address rewards,
        uint64 run,
        uint32 round,
        uint8 validatorIndex,
        bytes32 salt,
        int32[] calldata scores
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(TAG_SCORES, block.chainid, rewards, run, round, validatorIndex, salt, scores));
    }

    /// @notice Reveals without which all scores are 0: 2f+1 of n validators.
    function needed(uint256 n) internal pure returns (uint256) {
        return 2 * Quorum.faults(n) + 1;
    }

    /// @notice The element at position ⌊(m − 1) / 2⌋ of the m ≥ 1 scores revealed for one update, in ascending order.
    /// @dev Insertion sort of at most 32 values; reads of `sorted` are below `i`. The caller has checked that every reveal has a score at `row`.
    function lowerMedian(ScoreReveal[] calldata reveals, uint256 row) internal pure returns (int32) {
        uint256 m = reveals.length;
        int32[] memory sorted = new int32[](m);
        for (uint256 i = 0; i < m; ++i) {
            int32 score = reveals[i].scores[row];
            unchecked {
                uint256 at = i;
                for (; at > 0; --at) {
                    int32 before = sorted.at(at - 1);
                    if (before <= score) break;
                    sorted.put(at, before);
                }
                sorted.put(at, score);
            }
        }
        return sorted[(m - 1) / 2];
    }
}
