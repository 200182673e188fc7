// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    Failure,
    FinalisationContext,
    Phase,
    RoundRecord,
    RoundResult,
    RoundView,
    UpdateCommitment
} from "../types/RoundTypes.sol";
import {RunParams, RunView} from "../types/RunTypes.sol";

/// @title Runs, rounds, commits, verdicts and lineage
/// @notice A round's phase is derived from four deadline blocks fixed at opening and from who has acted; an action of a phase is allowed when
/// end(previous) < block ≤ end(this). Nothing here reads a timestamp.
interface ITrainingLedger {
    // ------------------------------------------------------------------ errors

    error TrainingLedgerUnauthorized(address account);
    error TrainingLedgerUnknownRun(uint64 run);
    error TrainingLedgerUnknownRound(uint64 run, uint32 round);
    /// @notice The round is not in a phase that allows the call.
    error TrainingLedgerWrongPhase(uint64 run, uint32 round, Phase phase, Phase wanted);
    error TrainingLedgerRunEnded(uint64 run);
    error TrainingLedgerRoundOpen(uint64 run, uint32 round, Phase phase);

    /// @notice A parameter of openRun outside its range; `name` is the field.
    error TrainingLedgerBadParameter(string name, uint256 value, uint256 min, uint256 max);
    error TrainingLedgerUnknownRule(bytes32 ruleId);
    error TrainingLedgerUnsupportedScoring(uint8 scoring);
    /// @notice Members active now are fewer than minAccepted.
    error TrainingLedgerTooFewMembers(uint256 active, uint256 minAccepted);
    /// @notice P(cohort < minAccepted) is above 10^-3; `probabilityE18` is an upper bound of it times 10^18.
    error TrainingLedgerCohortTooRisky(uint256 active, uint256 cohort, uint256 minAccepted, uint256 probabilityE18);
    error TrainingLedgerNoVerifier(address verifier);
    error TrainingLedgerVerifierTooSmall(address verifier, uint256 verifierCapacity, uint256 capacity);
    /// @notice Anyone can forge proofs under development keys, so only a development chain takes them.
    error TrainingLedgerDevelopmentKey(address verifier, uint256 chainId);

    error TrainingLedgerNotInvited(uint64 run, uint32 round, uint32 memberId);
    error TrainingLedgerMemberSuspended(uint32 memberId);
    error TrainingLedgerAlreadyCommitted(uint64 run, uint32 round, uint32 memberId);
    error TrainingLedgerCohortFull(uint64 run, uint32 round, uint256 places);
    error TrainingLedgerBadSamples(uint32 memberId, uint32 samples, uint32 maxSamples);
    error TrainingLedgerBadLossCommitment(uint256 lossCommitment);
    error TrainingLedgerBadExtension(bytes32 extension);
    /// @notice The signature is malformed or not by the member's signer over this commitment on the run's head.
    error TrainingLedgerBadSignature(uint32 memberId, address expected, address recovered);

    error TrainingLedgerChainRegistered(uint64 run, uint16 validatorId);
    error TrainingLedgerZeroChainEnd();
    /// @notice The validator has no hash chain that was registered before the round's opening block.
    error TrainingLedgerChainTooLate(uint64 run, uint32 round, uint16 validatorId, uint256 registeredBlock, uint256 openedBlock);
    error TrainingLedgerWrongReveal(uint16 validatorId, bytes32 reveal, bytes32 tip);
    error TrainingLedgerVerdictGiven(uint64 run, uint32 round, uint16 validatorId);
    error TrainingLedgerBadBitmap(uint256 bitmap, uint256 commits);
    error TrainingLedgerBadCodeCount(uint256 codes, uint256 commits);
    /// @notice A code must be 0 exactly where the bitmap says yes, and a known refusal elsewhere.
    error TrainingLedgerBadCode(uint256 commitIndex, uint8 code, bool accepted);
    error TrainingLedgerAlreadyAttested(uint64 run, uint32 round, uint16 validatorId);
    error TrainingLedgerNotFinalised(uint64 run, uint32 round);
    error TrainingLedgerBeaconNotReady(uint64 run, uint32 round);

    // ------------------------------------------------------------------ events

    event RunOpened(
        uint64 indexed run, address indexed sponsor, bytes32 indexed genesisHead, bytes32 paramsDigest, RunParams params
    );
    event BeaconChainRegistered(uint64 indexed run, uint16 indexed validatorId, bytes32 end);
    /// @param invited bitmap by memberId − 1.
    /// @param beacon R_{t−1}, which selected the cohort.
    event RoundOpened(
        uint64 indexed run,
        uint32 indexed round,
        address indexed opener,
        bool closing,
        bytes32 head,
        bytes32 beacon,
        uint16 validatorSetVersion,
        uint8 validators,
        uint8 quorum,
        uint40 rosterBefore,
        uint16 activeMembers,
        uint256[4] invited,
        uint40 commitDeadline,
        uint40 judgeDeadline,
        uint40 attestDeadline,
        uint40 finaliseDeadline
    );
    event Committed(
        uint64 indexed run,
        uint32 indexed round,
        uint32 indexed memberId,
        uint8 commitIndex,
        bytes32 artifactDigest,
        bytes32 artifactCid,
        uint32 samples,
        uint256 lossCommitment,
        bytes32 extension,
        bytes signature
    );
    /// @param bitmap yes by commit index.
    /// @param codes one byte per commit index, 0 for yes.
    /// @param reveal preimage of the validator's hash chain.
    event Verdict(
        uint64 indexed run,
        uint32 indexed round,
        uint16 indexed validatorId,
        uint8 validatorIndex,
        uint32 bitmap,
        bytes codes,
        bytes32 reveal
    );

    // ------------------------------------------------------------------ writes

    /// @notice Opens a run and pulls its pool from the caller into escrow. Admin only, at any time.
    /// @dev Checks every parameter, the condition of the rule, the cohort's risk and the verifier (errors above). The pool must have been
    /// approved to ShapleyRewards; a token that takes a fee is refused there.
    /// @return run id, from 1.
    function openRun(RunParams calldata params) external returns (uint64 run);

    /// @notice Opens the next round. An active member's or a validator's current key, unsuspended, when the previous round is finalised or
    /// failed and the run has not ended. Fixes n, q, keys, deadlines and the cohort.
    /// @dev After `rounds` finalised rounds this opens the closing round, to which all members are invited.
    /// @return round id, from 1.
    function openRound(uint64 run) external returns (uint32 round);

    /// @notice Registers e_0, the end of the caller's hash chain for a run: once, by a validator of the latest set, at any time; it counts for
    /// rounds opened in later blocks.
    function registerBeaconChain(uint64 run, bytes32 end) external;

    /// @notice Commits an update. Anyone may send it (a relayer); the member's EIP-712 signature authorises it. Phase: committing.
    /// @dev Cheap checks first: phase, places, fields, invitation, membership, and the signature last. When the last invited member or the
    /// last place has committed, the phase ends in this block.
    function commit(UpdateCommitment calldata commitment, bytes calldata signature) external;

    /// @notice Judges every commit of a round at once. A validator of the round's set, once. Phase: judging.
    /// @param bitmap bit i: I hold the bytes of commit i, they are valid, I serve them.
    /// @param codes one byte per commit: 0 for yes, else the refusal code.
    /// @param reveal x with keccak256(x) = the validator's tip.
    function verdict(uint64 run, uint32 round, uint256 bitmap, bytes calldata codes, bytes32 reveal) external;

    /// @notice Stores a seal. ProofOfTraining only. Phase: attesting.
    /// @return validatorId the signer's.
    /// @return validatorIndex its place in the round's set.
    /// @return scored whether the validators of this round commit to scores of their own: attested scoring, and not a closing round.
    function recordAttestation(uint64 run, uint32 round, address signer, bytes32 seal)
        external
        returns (uint16 validatorId, uint8 validatorIndex, bool scored);

    /// @notice Makes a finalised round the run's head. ProofOfTraining only. Phase: finalising.
    function recordFinalisation(RoundResult calldata result, bytes32 head) external;

    // ------------------------------------------------------------------ views: runs

    /// @notice Ids 1…runCount have been opened.
    function runCount() external view returns (uint64);
    function paramsOf(uint64 run) external view returns (RunParams memory);
    function runOf(uint64 run) external view returns (RunView memory);

    /// @notice Whether no further round can be opened: the closing round is finalised, two of them failed, or all openings are used and the
    /// last round is closed.
    function hasEnded(uint64 run) external view returns (bool);

    // ------------------------------------------------------------------ views: rounds

    /// @dev Phases are those of `block.number` of the call, which on some nodes is the latest block and on others the next one; the ends in
    /// the view let a client derive the phase for the block it means.
    function roundOf(uint64 run, uint32 round) external view returns (RoundView memory);
    function phaseOf(uint64 run, uint32 round) external view returns (Phase);
    function failureOf(uint64 run, uint32 round) external view returns (Failure);
    function isInvited(uint64 run, uint32 round, uint32 memberId) external view returns (bool);

    /// @notice The commit's slot: keccak256(abi.encode(run, round, memberId, commitIndex, artifactDigest, artifactCid, samples,
    /// lossCommitment, extension)); 0 if the member has not committed.
    function commitOf(uint64 run, uint32 round, uint32 memberId) external view returns (bytes32);
    function commitsOf(uint64 run, uint32 round, uint32[] calldata memberIds) external view returns (bytes32[] memory);

    /// @notice Bitmap by commit index of the updates with at least f+1 yes; final when judging is over.
    function acceptedOf(uint64 run, uint32 round) external view returns (uint32);

    /// @notice R_t; R_0 is h^0. Reverts with BeaconNotReady while the round is being judged.
    function beaconOf(uint64 run, uint32 round) external view returns (bytes32);

    /// @notice Tip of a validator's hash chain and the block in which it was registered; zeros if it was not.
    function beaconChainOf(uint64 run, uint16 validatorId) external view returns (bytes32 tip, uint40 registeredBlock);

    /// @notice Seal of a validator in a round that nobody has attested after; 0 if it has not attested in it. Older seals are in events.
    function sealOf(uint64 run, uint32 round, uint16 validatorId) external view returns (bytes32);

    /// @notice Seat of a signer in the round's validator set, and the round's n. Reverts as IConsortium.seatOf.
    function seatInRound(uint64 run, uint32 round, address signer)
        external
        view
        returns (uint8 index, uint16 validatorId, uint8 validators);

    /// @notice EIP-712 digest that a member signs for the run's current head.
    function commitmentDigest(UpdateCommitment calldata commitment) external view returns (bytes32);

    /// @notice What finalisation needs, read in one call. Reverts with WrongPhase unless the round is finalising.
    /// @param memberIds whose commit slots to read.
    function finalisationContext(uint64 run, uint32 round, uint32[] calldata memberIds)
        external
        view
        returns (FinalisationContext memory);

    // ------------------------------------------------------------------ views: lineage

    /// @notice The record of a finalised round; of the genesis for round 0. Reverts with NotFinalised otherwise.
    function recordOf(uint64 run, uint32 round) external view returns (RoundRecord memory);

    /// @notice Head of a finalised round, the finalised round before it and that one's head. For round 0 the parent is (0, 0).
    function lineage(uint64 run, uint32 round) external view returns (bytes32 head, uint32 parentRound, bytes32 parentHead);

    /// @notice Whether a model came out of a finalised round of any run.
    function isFinalModel(bytes32 modelRoot) external view returns (bool);

    /// @notice The first finalised round that produced a model; (0, 0) if none did.
    function finalModelOf(bytes32 modelRoot) external view returns (uint64 run, uint32 round);
}
