// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Role} from "../types/RosterTypes.sol";
import {Credit} from "../types/Credit.sol";
import {AttestedRound, CutOff, Dispute, RewardAccount, ScoreReveal, Standing} from "../types/RewardTypes.sol";
import {CommittedUpdate, RoundResult} from "../types/RoundTypes.sol";
import {RunParams} from "../types/RunTypes.sol";

/// @title Escrow, reputation, contribution, disputes, settlement, claims
/// @notice The pool of a run is escrowed when it opens and nobody can withdraw it. Settlement splits it exactly: ⌊ω·Π⌋ by positive
/// contribution, the rest by participation, largest remainders, ties to the lowest member id; Σ = Π.
interface IShapleyRewards {
    // ------------------------------------------------------------------ errors

    error ShapleyRewardsUnauthorized(address account);
    error ShapleyRewardsMiswired(address consortium, address trainingLedger, address proofOfTraining);
    /// @notice The token moved another amount than it was asked to (a fee, a rebate).
    error ShapleyRewardsTransferMismatch(address token, uint256 asked, uint256 received);
    error ShapleyRewardsNoToken(uint256 pool, uint256 disputeBond);
    error ShapleyRewardsUnknownRun(uint64 run);

    /// @notice The round was not finalised, or has no scores (a closing round).
    error ShapleyRewardsNothingToDispute(uint64 run, uint32 round);
    error ShapleyRewardsWindowClosed(uint64 run, uint32 round, uint256 blockNumber, uint256 windowEnd);
    error ShapleyRewardsAlreadyDisputed(uint64 run, uint32 round, Role role, uint32 id);
    error ShapleyRewardsNotDisputed(uint64 run, uint32 round);
    error ShapleyRewardsAlreadyVoted(uint64 run, uint32 round, uint16 validatorId);
    error ShapleyRewardsNotUpheld(uint64 run, uint32 round, uint256 votes, uint256 quorum);
    error ShapleyRewardsAlreadyVoided(uint64 run, uint32 round);
    error ShapleyRewardsScoresMismatch(uint64 run, uint32 round, bytes32 given, bytes32 attested);
    error ShapleyRewardsNoBond(uint64 run, uint32 round, Role role, uint32 id);

    /// @notice The result of a run with attested scoring carries no scores.
    error ShapleyRewardsScoreInResult(uint64 run, uint32 memberId, int32 score);
    /// @notice The round has no attested scores: another scoring, a closing round, or not finalised.
    error ShapleyRewardsNoAttestedScores(uint64 run, uint32 round);
    error ShapleyRewardsAlreadyRevealed(uint64 run, uint32 round, uint16 validatorId);
    error ShapleyRewardsScoreCount(uint64 run, uint32 round, uint256 scores, uint256 kept);
    /// @notice Scores and salt do not open what the validator committed to with its seal (0: nothing).
    error ShapleyRewardsCommitmentMismatch(
        uint64 run, uint32 round, uint8 validatorIndex, bytes32 given, bytes32 committed
    );
    error ShapleyRewardsRevealCount(uint64 run, uint32 round, uint256 given, uint256 revealed);
    error ShapleyRewardsAlreadyBooked(uint64 run, uint32 round);

    error ShapleyRewardsRunNotEnded(uint64 run);
    error ShapleyRewardsWindowOpen(uint64 run, uint256 blockNumber, uint256 windowEnd);
    error ShapleyRewardsVoidPending(uint64 run, uint256 rounds);
    error ShapleyRewardsScoresPending(uint64 run, uint256 rounds);
    error ShapleyRewardsAlreadySettled(uint64 run);
    error ShapleyRewardsNotSettled(uint64 run);
    /// @notice The cut-off gives another number of units than the floors leave over.
    error ShapleyRewardsBadCutOff(uint256 missing, uint256 given);
    error ShapleyRewardsNothingToClaim(uint64 run, uint32 memberId);
    error ShapleyRewardsNothingToRefund(uint64 run);

    // ------------------------------------------------------------------ events

    event Escrowed(uint64 indexed run, address indexed sponsor, address indexed token, uint256 amount);
    event Disputed(uint64 indexed run, uint32 indexed round, Role role, uint32 id, uint256 bond);
    event VoidVote(uint64 indexed run, uint32 indexed round, uint16 indexed validatorId, uint256 votes, uint256 quorum);
    /// @param memberIds whose scores were taken back; none where attested scores had not been booked.
    event ScoresVoided(uint64 indexed run, uint32 indexed round, uint32[] memberIds, int32[] scores);
    event ScoresCommitted(
        uint64 indexed run, uint32 indexed round, uint16 indexed validatorId, uint8 validatorIndex, bytes32 commitment
    );
    /// @param scores of the kept updates, ascending memberId.
    event ScoresRevealed(
        uint64 indexed run,
        uint32 indexed round,
        uint16 indexed validatorId,
        uint8 validatorIndex,
        int32[] scores,
        bytes32 salt
    );
    /// @param reveals validators that revealed; below 2f+1 all scores are 0.
    /// @param memberIds of the kept updates, ascending, each with its lower median in `scores`.
    event ScoresBooked(uint64 indexed run, uint32 indexed round, uint256 reveals, uint32[] memberIds, int32[] scores);
    event BondReturned(uint64 indexed run, uint32 indexed round, address indexed account, uint256 amount);
    /// @param pool what was split or refunded: the escrow and the forfeited bonds.
    /// @param rewards per id of `memberIds`; only members with a reward are listed. Empty when the pool is refunded.
    event Settled(uint64 indexed run, uint256 pool, uint256 refund, uint32[] memberIds, uint128[] rewards);
    event Claimed(uint64 indexed run, uint32 indexed memberId, address indexed account, uint256 amount);
    event Refunded(uint64 indexed run, address indexed sponsor, uint256 amount);

    // ------------------------------------------------------------------ for the other contracts

    /// @notice Opens a run's account and pulls the pool from the sponsor. TrainingLedger only, within openRun.
    function escrow(uint64 run, address sponsor, RunParams calldata params) external;

    /// @notice Books a finalised round: reputation of every committed update, contribution and participation of the kept ones. With attested
    /// scoring every score here is 0, and the round's scores are booked by `bookScores`.
    /// ProofOfTraining only, within finalise; not for closing rounds.
    /// @param credits one for each committed update.
    function credit(uint64 run, Credit[] calldata credits) external;

    /// @notice Stores a validator's commitment to its scores of a round. ProofOfTraining only, with the seal.
    function commitScores(uint64 run, uint32 round, uint16 validatorId, uint8 validatorIndex, bytes32 commitment) external;

    // ------------------------------------------------------------------ attested scores

    /// @notice Shows the scores that the caller committed to with its seal. A validator of the round's set, unsuspended, once, within
    /// challengeBlocks after finalisation.
    /// @param scores of the kept updates, ascending memberId: one that was not kept has no place in it.
    function revealScores(uint64 run, uint32 round, int32[] calldata scores, bytes32 salt) external;

    /// @notice Books the lower median of the revealed scores of each kept update, 0 for all with fewer than 2f+1 reveals. Anyone, once, when
    /// disputing (2·challengeBlocks after finalisation) and, if there is a dispute, voting (3·challengeBlocks) is over. The arguments are in the
    /// round's events; head and commitments bind them. A round that a dispute voided has nothing to book.
    /// @param result T of the round.
    /// @param accepted its accepted updates, ascending memberId.
    /// @param reveals all that were revealed, ascending validator index.
    function bookScores(RoundResult calldata result, CommittedUpdate[] calldata accepted, ScoreReveal[] calldata reveals)
        external;

    // ------------------------------------------------------------------ disputes

    /// @notice Disputes the scores of a finalised round. An active, unsuspended member or validator, once per party and round, within
    /// challengeBlocks after finalisation; with attested scores within 2·challengeBlocks, so that the last reveal can be disputed. Pulls the
    /// bond (approve it first).
    function dispute(uint64 run, uint32 round) external;

    /// @notice Votes to void the disputed scores. A validator of the round's set, unsuspended, once, until challengeBlocks after the end of
    /// disputing. With q votes the dispute is upheld; attested scores, which are not booked yet, are void at once. Without them the scores stand
    /// when that window closes, and the bonds fall to the pool.
    function voteToVoid(uint64 run, uint32 round) external;

    /// @notice Takes back C and P of an upheld dispute's round. Anyone, once. The arguments are in the round's Finalised event; the head commits
    /// to them (ProofOfTraining.openHead).
    /// @param result T of the round.
    /// @param accepted its accepted updates, ascending memberId.
    /// @param scores of those.
    function voidScores(RoundResult calldata result, CommittedUpdate[] calldata accepted, int32[] calldata scores) external;

    /// @notice Returns the bond of an upheld dispute to the party that raised it. That party's current key, unsuspended, once.
    function withdrawBond(uint64 run, uint32 round) external;

    // ------------------------------------------------------------------ settlement

    /// @notice Splits the pool, once. Anyone, when the run has ended, every window has closed, every upheld dispute has been applied and all
    /// attested scores are booked.
    /// @param contribution cut-off of the part split by contribution; ignored when nobody has a positive contribution.
    /// @param participation cut-off of the part split by participation; ignored when the pool is refunded.
    function settle(uint64 run, CutOff calldata contribution, CutOff calldata participation) external;

    /// @notice Pays the caller's reward to it. The member's current signer, unsuspended, after settlement, once; also after leaving.
    function claim(uint64 run) external;

    /// @notice Pays the refund of a run in which nobody earned anything. Its sponsor, after settlement, once.
    function claimRefund(uint64 run) external;

    // ------------------------------------------------------------------ views

    function accountOf(uint64 run) external view returns (RewardAccount memory);

    /// @notice The member's account within the run; reputation 65 536 and zeros before its first finalised update.
    function standingOf(uint64 run, uint32 memberId) external view returns (Standing memory);
    function disputeOf(uint64 run, uint32 round) external view returns (Dispute memory);

    /// @notice Where the round's attested scores stand; zeros where it has none.
    function attestedScoresOf(uint64 run, uint32 round) external view returns (AttestedRound memory);

    /// @notice What a validator committed to with its seal; 0 if nothing.
    function scoreCommitmentOf(uint64 run, uint32 round, uint8 validatorIndex) external view returns (bytes32);

    /// @notice Whether a party has a bond in a round's dispute that it has not withdrawn.
    function hasBond(uint64 run, uint32 round, Role role, uint32 id) external view returns (bool);
}
