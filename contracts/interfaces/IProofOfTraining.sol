// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CommittedUpdate, Finalisation, LossProof, RoundResult} from "../types/RoundTypes.sol";

/// @title Seals, quorum, proof of reported loss, finalisation
/// @notice Validators seal the result T of a round without showing it; the proposer opens T. Everything in T is recomputed here or fixed by q
/// equal seals, so that the proposer chooses nothing but the proof. The contract keeps no state: seals and records are the ledger's.
interface IProofOfTraining {
    // ------------------------------------------------------------------ errors

    /// @notice `account` is not among the validators that may finalise in this view: (round + j) mod n for j ≤ view.
    error ProofOfTrainingNotInView(uint64 run, uint32 round, address account, uint256 viewNumber);
    error ProofOfTrainingCommitCount(uint256 given, uint256 commits);
    error ProofOfTrainingMembersNotAscending(uint32 memberId, uint32 next);
    /// @notice The fields given for a member are not those it committed to.
    error ProofOfTrainingCommitMismatch(uint32 memberId, bytes32 given, bytes32 committed);
    /// @notice kept must be a subset of accepted, and 0 in a closing round.
    error ProofOfTrainingBadKept(uint256 kept, uint256 accepted);
    error ProofOfTrainingWeightCount(uint256 weights, uint256 accepted);
    error ProofOfTrainingScoreCount(uint256 scores, uint256 accepted);
    /// @notice Weights or score of an update that is not kept must be 0.
    error ProofOfTrainingNotKept(uint32 memberId, uint32 weight, int32 score);
    error ProofOfTrainingColumnSum(uint256 group, uint256 sum);
    /// @notice A closing round leaves the model as it is.
    error ProofOfTrainingClosingChangesModel(bytes32 modelRoot, bytes32 checkpointCid, uint256 updateNormSq);
    error ProofOfTrainingBadExtension(bytes32 extension);
    /// @notice Updates of this round are scored by each validator: the seal comes with a commitment to scores.
    error ProofOfTrainingScoresMissing(uint64 run, uint32 round);
    /// @notice Scores of this round are part of the result, or there are none: no commitment comes with the seal.
    error ProofOfTrainingScoresUnwanted(uint64 run, uint32 round);
    /// @notice Fewer than q stored seals open to this result: one of its values is not what the quorum sealed.
    error ProofOfTrainingNoQuorum(uint256 agreeing, uint256 quorum);
    /// @notice The result is not the one behind the round's recorded head.
    error ProofOfTrainingNotTheResult(uint64 run, uint32 round, bytes32 given, bytes32 recorded);
    error ProofOfTrainingNotAccepted(uint32 memberId, uint8 commitIndex);
    error ProofOfTrainingBadProof(uint256 bindingDigest, uint256 challenge, uint256 evaluation, uint32 reportedLoss);

    // ------------------------------------------------------------------ events

    event Attested(
        uint64 indexed run, uint32 indexed round, uint16 indexed validatorId, uint8 validatorIndex, bytes32 seal
    );
    /// @param head h^t.
    /// @param result T.
    /// @param agreeing validator indices whose seals opened to T.
    /// @param weights λ, row by row for the accepted updates in ascending memberId; the updates are in the round's Committed events, whose
    /// commit index tells the accepted ones.
    /// @param scores of the accepted updates in ascending memberId.
    /// @param bindingDigest D.
    event Finalised(
        uint64 indexed run,
        uint32 indexed round,
        bytes32 indexed head,
        address proposer,
        uint32 agreeing,
        RoundResult result,
        uint32[] weights,
        int32[] scores,
        uint256 bindingDigest,
        LossProof proof
    );

    // ------------------------------------------------------------------ writes

    /// @notice Seals a result: keccak256(abi.encode(tag("attestation"), chainId, this, T, signer)). A validator of the round's set, once.
    /// Phase: attesting. With the n-th seal the phase ends in this block.
    /// In runs with attested scoring only the closing round is sealed so.
    function attest(uint64 run, uint32 round, bytes32 seal) external;

    /// @notice As `attest`, with a commitment to the scores that the validator gives on its own held-out data. Runs with attested scoring, all
    /// rounds but the closing one.
    /// @param scoreCommitment keccak256(abi.encode(tag("scores"), chainId, shapleyRewards, run, round, validatorIndex, salt, scores)), `scores`
    /// being int32[] of the kept updates, ascending memberId; not 0.
    function attestWithScores(uint64 run, uint32 round, bytes32 seal, bytes32 scoreCommitment) external;

    /// @notice Opens T, checks q seals and the proof, and makes the round the run's head. Phase: finalising. Callers: the round's validators
    /// (round + j) mod n with j ≤ ⌊(block − end of attesting) / viewBlocks⌋, unsuspended.
    /// @return head h^t.
    function finalise(uint64 run, uint32 round, Finalisation calldata finalisation) external returns (bytes32 head);

    // ------------------------------------------------------------------ views

    /// @notice The seal of `signer` for a result.
    function sealFor(RoundResult calldata result, address signer) external view returns (bytes32);

    /// @notice Opens the head of a finalised round again: members of the accepted updates, ascending, and which of them were kept (bit i
    /// belongs to memberIds[i]). Reverts unless `result` is what the head commits to and `accepted` are its accepted updates as committed.
    function openHead(RoundResult calldata result, CommittedUpdate[] calldata accepted)
        external
        view
        returns (uint32[] memory memberIds, uint256 kept);
}
