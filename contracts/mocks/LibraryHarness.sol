// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AttestedScores} from "../libraries/AttestedScores.sol";
import {Bits} from "../libraries/Bits.sol";
import {Cohort} from "../libraries/Cohort.sol";
import {CohortRisk} from "../libraries/CohortRisk.sol";
import {CommitSlot} from "../libraries/CommitSlot.sol";
import {LossBinding} from "../libraries/LossBinding.sol";
import {ParticipantsTree} from "../libraries/ParticipantsTree.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Reputation} from "../libraries/Reputation.sol";
import {Split} from "../libraries/Split.sol";
import {VerdictCounters} from "../libraries/VerdictCounters.sol";
import {CutOff, ScoreReveal} from "../types/RewardTypes.sol";
import {CommittedUpdate, RoundResult} from "../types/RoundTypes.sol";
import {TAG_ATTESTATION, TAG_BEACON, TAG_HEAD} from "../types/Tags.sol";

/// @title Library functions made callable, for vectors and comparison with references
contract LibraryHarness {
    function faults(uint256 n) external pure returns (uint256) {
        return Quorum.faults(n);
    }

    function quorum(uint256 n) external pure returns (uint256) {
        return Quorum.quorum(n);
    }

    function countBits(uint256 bitmap) external pure returns (uint256) {
        return Bits.count(bitmap);
    }

    /// Adds verdicts one after the other, then compares.
    function atLeast(uint32[] calldata bitmaps, uint256 threshold) external pure returns (uint32) {
        uint192 planes = 0;
        for (uint256 i = 0; i < bitmaps.length; ++i) {
            planes = VerdictCounters.add(planes, bitmaps[i]);
        }
        return VerdictCounters.atLeast(planes, threshold);
    }

    function tailE18(uint256 members, uint256 cohort, uint256 least) external pure returns (uint256) {
        return CohortRisk.tailE18(members, cohort, least);
    }

    function draw(uint256[4] calldata activeMembers, uint256 active, uint256 cohort, bytes32 beacon)
        external
        pure
        returns (uint256[4] memory invited, uint256 count)
    {
        return Cohort.draw(activeMembers, active, cohort, beacon);
    }

    function nextBeacon(bytes32 previous, bytes32[] calldata reveals) external pure returns (bytes32) {
        return keccak256(abi.encode(TAG_BEACON, previous, reveals));
    }

    function reputation(uint256 current, uint256 alphaQ16, bool kept) external pure returns (uint256) {
        return Reputation.next(current, alphaQ16, kept);
    }

    function participantsRoot(CommittedUpdate[] calldata updates, uint32[] calldata weights)
        external
        pure
        returns (bytes32)
    {
        uint256 groups = updates.length == 0 ? 0 : weights.length / updates.length;
        bytes32[] memory leaves = new bytes32[](updates.length);
        for (uint256 i = 0; i < updates.length; ++i) {
            leaves[i] = ParticipantsTree.leaf(updates[i], weights, i * groups, groups);
        }
        return ParticipantsTree.root(leaves);
    }

    function commitSlot(uint64 run, uint32 round, CommittedUpdate calldata update) external pure returns (bytes32) {
        return CommitSlot.digest(run, round, update);
    }

    function scoresDigest(int32[] calldata scores) external pure returns (bytes32) {
        return keccak256(abi.encodePacked(scores));
    }

    function sealAt(uint256 chainId, address proofOfTraining, RoundResult calldata result, address signer)
        external
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(TAG_ATTESTATION, chainId, proofOfTraining, result, signer));
    }

    function headAt(
        uint256 chainId,
        address proofOfTraining,
        RoundResult calldata result,
        bytes32 setDigest,
        bytes32 ruleId,
        bytes32 paramsDigest
    ) external pure returns (bytes32) {
        return keccak256(abi.encode(TAG_HEAD, chainId, proofOfTraining, result, setDigest, ruleId, paramsDigest));
    }

    function scoreCommitment(
        address rewards,
        uint64 run,
        uint32 round,
        uint8 validatorIndex,
        bytes32 salt,
        int32[] calldata scores
    ) external view returns (bytes32) {
        return AttestedScores.commitment(rewards, run, round, validatorIndex, salt, scores);
    }

    function lowerMedian(ScoreReveal[] calldata reveals, uint256 row) external pure returns (int32) {
        return AttestedScores.lowerMedian(reveals, row);
    }

    function challenge(
        address proofOfTraining,
        uint64 run,
        uint32 round,
        bytes32 head,
        uint32 reportedLoss,
        uint256[] calldata v,
        uint256 bindingDigest
    ) external view returns (uint256 r, uint256 evaluation) {
        return LossBinding.challenge(proofOfTraining, run, round, head, reportedLoss, v, bindingDigest);
    }

    function amountOf(uint256 total, uint256 share, uint256 sum, uint32 memberId, CutOff calldata cutOff)
        external
        pure
        returns (uint256 amount, uint256 extra)
    {
        return Split.amountOf(total, share, sum, memberId, cutOff);
    }
}
