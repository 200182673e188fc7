// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IShapleyRewards} from "../interfaces/IShapleyRewards.sol";
import {ITrainingLedger} from "../interfaces/ITrainingLedger.sol";
import {Bits} from "../libraries/Bits.sol";
import {Cohort} from "../libraries/Cohort.sol";
import {CommitSlot} from "../libraries/CommitSlot.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Raw} from "../libraries/Raw.sol";
import {Round} from "../libraries/Round.sol";
import {VerdictCounters} from "../libraries/VerdictCounters.sol";
import {ATTESTED_SCORING, FIELD_ORDER, MAX_FAILED_CLOSINGS, MAX_REFUSAL_CODE} from "../types/Limits.sol";
import {Role} from "../types/RosterTypes.sol";
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
import {TAG_BEACON, TAG_GENESIS} from "../types/Tags.sol";
import {RunRules} from "./RunRules.sol";

/// @title Runs, rounds, commits, verdicts and lineage
/// @dev The other contracts are immutable addresses, so that calling them reads no slot; the deployer predicts them from its nonce, and the
/// last one deployed (ShapleyRewards) checks the wiring.
contract TrainingLedger is ITrainingLedger, EIP712 {
    using Round for Round.Data;
    using Round for Round.State;
    using Raw for bytes32[];

    /// One slot.
    struct Progress {
        uint40 openedBlock;
        uint32 lastRound;
        uint32 headRound;
        uint32 finalisedRounds;
        uint8 failedClosings;
        bool closed;
    }

    struct Run {
        bytes32 head;
        /// Checkpoint of the head. Overwritten by each finalisation; those of earlier rounds are in events and in `_finalModels`.
        bytes32 modelRoot;
        bytes32 checkpointCid;
        Progress progress;
        Round.Terms terms;
        address sponsor;
        bytes32 paramsDigest;
        RunParams params;
    }

    struct BeaconChain {
        bytes32 tip;
        uint40 registeredBlock;
    }

    struct FinalModel {
        uint64 run;
        uint32 round;
    }

    /// What a seal slot holds before the first seal, so that no seal pays for a new slot.
    bytes32 private constant NO_SEAL = bytes32(uint256(1));

    IConsortium public immutable consortium;
    address public immutable proofOfTraining;
    IShapleyRewards public immutable shapleyRewards;
    RunRules public immutable runRules;

    uint64 public runCount;
    mapping(uint64 run => Run) private _runs;
    mapping(uint64 run => mapping(uint32 round => Round.Data)) private _rounds;
    mapping(uint64 run => mapping(uint16 validatorId => BeaconChain)) private _chains;
    /// The validator's seal in the last round it attested. A seal binds its round, so one left over from an earlier round opens to nothing.
    mapping(uint64 run => mapping(uint16 validatorId => bytes32)) private _seals;
    mapping(bytes32 modelRoot => FinalModel) private _finalModels;

    constructor(IConsortium consortium_, address proofOfTraining_, IShapleyRewards shapleyRewards_) EIP712("Foedus", "1") {
        consortium = consortium_;
        proofOfTraining = proofOfTraining_;
        shapleyRewards = shapleyRewards_;
        runRules = new RunRules();
    }

    modifier onlyProofOfTraining() {
        if (msg.sender != proofOfTraining) revert TrainingLedgerUnauthorized(msg.sender);
        _;
    }

    // ------------------------------------------------------------------ opening

    /// @inheritdoc ITrainingLedger
    function openRun(RunParams calldata params) external returns (uint64 run) {
        if (!consortium.isAdmin(msg.sender)) revert TrainingLedgerUnauthorized(msg.sender);
        (uint256 active,,) = consortium.activeMembersBefore(uint40(block.number + 1));
        runRules.check(params, active);

        run = ++runCount;
        bytes32 paramsDigest = keccak256(abi.encode(params));
        bytes32 genesisHead = keccak256(
            abi.encode(
                TAG_GENESIS,
                block.chainid,
                address(this),
                run,
                paramsDigest,
                params.initialModelRoot,
                params.initialCheckpointCid
            )
        );

        Run storage state = _runs[run];
        state.head = genesisHead;
        state.modelRoot = params.initialModelRoot;
        state.checkpointCid = params.initialCheckpointCid;
        state.progress.openedBlock = uint40(block.number);
        state.terms = Round.Terms({
            verifier: params.verifier,
            viewBlocks: params.viewBlocks,
            phaseBlocks: params.commitBlocks + params.judgeBlocks + params.attestBlocks,
            attestedScores: params.scoring == ATTESTED_SCORING
        });
        state.sponsor = msg.sender;
        state.paramsDigest = paramsDigest;
        state.params = params;

        Round.Data storage genesis = _rounds[run][0];
        genesis.beacon = genesisHead;
        genesis.record = RoundRecord({
            head: genesisHead,
            parentRound: 0,
            finalisedBlock: uint40(block.number),
            reportedLoss: 0,
            kept: 0
        });

        emit RunOpened(run, msg.sender, genesisHead, paramsDigest, params);
        shapleyRewards.escrow(run, msg.sender, params);
    }

    /// @inheritdoc ITrainingLedger
    function registerBeaconChain(uint64 run, bytes32 end) external {
        _existing(run);
        (Role role, uint32 id) = consortium.participantOf(msg.sender);
        if (role != Role.Validator) revert TrainingLedgerUnauthorized(msg.sender);
        if (end == 0) revert TrainingLedgerZeroChainEnd();
        uint16 validatorId = uint16(id);
        BeaconChain storage chain = _chains[run][validatorId];
        if (chain.registeredBlock != 0) revert TrainingLedgerChainRegistered(run, validatorId);
        chain.tip = end;
        chain.registeredBlock = uint40(block.number);
        _seals[run][validatorId] = NO_SEAL;
        emit BeaconChainRegistered(run, validatorId, end);
    }

    /// @inheritdoc ITrainingLedger
    function openRound(uint64 run) external returns (uint32 round) {
        Run storage state = _existing(run);
        (Role role,) = consortium.participantOf(msg.sender);
        if (role != Role.Member && role != Role.Validator) revert TrainingLedgerUnauthorized(msg.sender);

        Progress memory progress = state.progress;
        uint32 previous = progress.lastRound;
        Round.Data storage last = _rounds[run][previous];
        if (previous != 0) {
            (Phase phase,) = last.phase(state.terms);
            if (phase != Phase.Finalised && phase != Phase.Failed) revert TrainingLedgerRoundOpen(run, previous, phase);
            if (phase == Phase.Failed && _isClosing(last)) ++progress.failedClosings;
            last.beacon = _nextBeacon(run, previous);
        }
        if (_noneLeft(progress, state.params)) revert TrainingLedgerRunEnded(run);

        round = previous + 1;
        progress.lastRound = round;
        state.progress = progress;
        _writeRound(run, round, progress, state.params, last);
    }

    /// Fixes everything that holds for the round's duration.
    function _writeRound(
        uint64 run,
        uint32 round,
        Progress memory progress,
        RunParams storage params,
        Round.Data storage last
    ) private {
        Round.Data storage data = _rounds[run][round];
        Round.State memory state;
        state.openedBlock = uint40(block.number);
        // Members act two openings after a change; a run's first round takes those there were when it opened.
        state.rosterBefore = round == 1 ? progress.openedBlock + 1 : last.state.openedBlock;
        bool closing = progress.finalisedRounds == params.rounds;
        if (closing) state.flags = Round.CLOSING;
        else if (_runs[run].terms.attestedScores) state.flags = Round.SCORED;
        state.commitEnd = params.commitBlocks;
        state.judgeEnd = state.commitEnd + params.judgeBlocks;
        state.attestEnd = state.judgeEnd + params.attestBlocks;
        state.validatorSetVersion = consortium.validatorSetVersion();
        state.validators = uint8(consortium.validatorCount(state.validatorSetVersion));

        (uint256 active, uint256[4] memory activeMembers, uint256 suspended) =
            consortium.activeMembersBefore(state.rosterBefore);
        (uint256[4] memory invited, uint256 count) =
            Cohort.draw(activeMembers, active, round == 1 || closing ? active : params.cohort, last.beacon);
        // Whoever is suspended now is not invited, even if it is reinstated before the deadline.
        if (count == active && suspended == 0) state.flags |= Round.ALL_INVITED;
        state.places = uint8(count < params.capacity ? count : params.capacity);

        data.state = state;
        data.tally = Round.Tally({
            planes: 0,
            voted: 0,
            minAccepted: uint8(params.minAccepted),
            activeMembers: uint16(active)
        });
        data.record.parentRound = progress.headRound;
        // Not 0 before finalisation either, so that finalising does not pay for a new slot (the first round's parent is 0).
        data.record.reportedLoss = type(uint32).max;
        for (uint256 word = 0; word < 4; ++word) {
            if (invited[word] != 0) data.invited[word] = invited[word];
        }
        _emitRoundOpened(run, round, state, active, invited, last.beacon);
    }

    function _emitRoundOpened(
        uint64 run,
        uint32 round,
        Round.State memory state,
        uint256 active,
        uint256[4] memory invited,
        bytes32 beacon
    ) private {
        emit RoundOpened({
            run: run,
            round: round,
            opener: msg.sender,
            closing: state.isClosing(),
            head: _runs[run].head,
            beacon: beacon,
            validatorSetVersion: state.validatorSetVersion,
            validators: state.validators,
            quorum: uint8(Quorum.quorum(state.validators)),
            rosterBefore: state.rosterBefore,
            activeMembers: uint16(active),
            invited: invited,
            commitDeadline: uint40(state.blockOf(state.commitEnd)),
            judgeDeadline: uint40(state.blockOf(state.judgeEnd)),
            attestDeadline: uint40(state.blockOf(state.attestEnd)),
            finaliseDeadline: uint40(state.finaliseDeadline(_runs[run].terms))
        });
    }

    // ------------------------------------------------------------------ commit

    /// @inheritdoc ITrainingLedger
    function commit(UpdateCommitment calldata commitment, bytes calldata signature) external {
        (uint64 run, uint32 round, uint32 memberId) = (commitment.run, commitment.round, commitment.memberId);
        Round.Data storage data = _rounds[run][round];
        Round.State storage state = data.state;
        if (!state.isCommitting()) _wrongPhase(run, round, Phase.Committing);
        (uint8 commitIndex, uint8 places, uint40 opened) = (state.commits, state.places, state.openedBlock);
        if (commitIndex == places) revert TrainingLedgerCohortFull(run, round, places);
        if (commitment.lossCommitment == 0 || commitment.lossCommitment >= FIELD_ORDER) {
            revert TrainingLedgerBadLossCommitment(commitment.lossCommitment);
        }
        if (commitment.extension != 0) revert TrainingLedgerBadExtension(commitment.extension);
        if (state.flags & Round.ALL_INVITED == 0 && !_isInvited(data, memberId)) {
            revert TrainingLedgerNotInvited(run, round, memberId);
        }
        if (data.commits[memberId] != 0) revert TrainingLedgerAlreadyCommitted(run, round, memberId);
        _checkCommitter(commitment, memberId, signature, state.rosterBefore, _runs[run].head);

        data.commits[memberId] = CommitSlot.digest(commitment, commitIndex);
        state.commits = commitIndex + 1;
        if (commitIndex + 1 == places) state.commitEnd = uint32(block.number - opened);
        emit Committed(
            run,
            round,
            memberId,
            commitIndex,
            commitment.artifactDigest,
            commitment.artifactCid,
            commitment.samples,
            commitment.lossCommitment,
            commitment.extension,
            signature
        );
    }

    /// The member as the round's roster has it: there, not suspended, samples in its range, its own signature on the run's head.
    function _checkCommitter(
        UpdateCommitment calldata commitment,
        uint32 memberId,
        bytes calldata signature,
        uint40 rosterBefore,
        bytes32 head
    ) private view {
        (address signer, uint256 maxSamples, bool suspended) = consortium.committerBefore(memberId, rosterBefore);
        if (signer == address(0)) revert TrainingLedgerNotInvited(commitment.run, commitment.round, memberId);
        if (suspended) revert TrainingLedgerMemberSuspended(memberId);
        uint32 samples = commitment.samples;
        if (samples == 0 || samples > maxSamples) revert TrainingLedgerBadSamples(memberId, samples, uint32(maxSamples));
        bytes32 digest = _hashTypedDataV4(CommitSlot.structHash(commitment, head));
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered != signer) revert TrainingLedgerBadSignature(memberId, signer, recovered);
    }

    // ------------------------------------------------------------------ verdict

    /// @inheritdoc ITrainingLedger
    function verdict(uint64 run, uint32 round, uint256 bitmap, bytes calldata codes, bytes32 reveal) external {
        Round.Data storage data = _rounds[run][round];
        Round.State memory state = data.state;
        if (!state.isJudging()) _wrongPhase(run, round, Phase.Judging);
        (uint8 index, uint16 validatorId) = consortium.seatOf(state.validatorSetVersion, msg.sender);
        Round.Tally memory tally = data.tally;
        if (Bits.has(tally.voted, index)) revert TrainingLedgerVerdictGiven(run, round, validatorId);
        _checkCodes(bitmap, codes, state.commits);

        BeaconChain storage chain = _chains[run][validatorId];
        uint256 registered = chain.registeredBlock;
        if (registered == 0 || registered >= state.openedBlock) {
            revert TrainingLedgerChainTooLate(run, round, validatorId, registered, state.openedBlock);
        }
        bytes32 tip = chain.tip;
        if (keccak256(abi.encode(reveal)) != tip) revert TrainingLedgerWrongReveal(validatorId, reveal, tip);
        chain.tip = reveal;

        tally.planes = VerdictCounters.add(tally.planes, uint32(bitmap));
        tally.voted |= uint32(1) << index;
        data.tally = tally;
        if (Round.complete(tally.voted, state.validators)) {
            data.state.judgeEnd = uint32(block.number - state.openedBlock);
        }
        emit Verdict(run, round, validatorId, index, uint32(bitmap), codes, reveal);
    }

    /// A verdict that contradicts itself is refused. The loop is as long as the round's commits, at most 32.
    function _checkCodes(uint256 bitmap, bytes calldata codes, uint256 commits) private pure {
        if (bitmap >> commits != 0) revert TrainingLedgerBadBitmap(bitmap, commits);
        if (codes.length != commits) revert TrainingLedgerBadCodeCount(codes.length, commits);
        for (uint256 i = 0; i < commits; ++i) {
            uint8 code = uint8(codes[i]);
            bool accepted = Bits.has(bitmap, i);
            if (accepted != (code == 0) || code > MAX_REFUSAL_CODE) revert TrainingLedgerBadCode(i, code, accepted);
        }
    }

    // ------------------------------------------------------------------ for ProofOfTraining

    /// @inheritdoc ITrainingLedger
    function recordAttestation(uint64 run, uint32 round, address signer, bytes32 seal)
        external
        onlyProofOfTraining
        returns (uint16 validatorId, uint8 validatorIndex, bool scored)
    {
        Round.Data storage data = _rounds[run][round];
        _requirePhase(run, round, data, Phase.Attesting);
        Round.State memory state = data.state;
        (validatorIndex, validatorId) = consortium.seatOf(state.validatorSetVersion, signer);
        if (Bits.has(state.attested, validatorIndex)) revert TrainingLedgerAlreadyAttested(run, round, validatorId);

        _seals[run][validatorId] = seal;
        state.attested |= uint32(1) << validatorIndex;
        if (Round.complete(state.attested, state.validators)) {
            state.attestEnd = uint32(block.number - state.openedBlock);
        }
        data.state = state;
        scored = state.flags & Round.SCORED != 0;
    }

    /// @inheritdoc ITrainingLedger
    function recordFinalisation(RoundResult calldata result, bytes32 head) external onlyProofOfTraining {
        Run storage state = _existing(result.run);
        Round.Data storage data = _rounds[result.run][result.round];
        RoundRecord storage record = data.record;
        // The phase was checked by `finalisationContext` in this transaction; this keeps a second finalisation out whatever ProofOfTraining does.
        if (record.finalisedBlock != 0) _wrongPhase(result.run, result.round, Phase.Finalising);
        record.head = head;
        record.finalisedBlock = uint40(block.number);
        record.reportedLoss = result.reportedLoss;
        record.kept = uint128(result.kept);

        Progress memory progress = state.progress;
        progress.headRound = result.round;
        if (_isClosing(data)) progress.closed = true;
        else ++progress.finalisedRounds;
        state.progress = progress;
        state.head = head;
        state.modelRoot = result.modelRoot;
        state.checkpointCid = result.checkpointCid;

        FinalModel storage model = _finalModels[result.modelRoot];
        if (model.run == 0) {
            model.run = result.run;
            model.round = result.round;
        }
    }

    // ------------------------------------------------------------------ views: runs

    /// @inheritdoc ITrainingLedger
    function paramsOf(uint64 run) external view returns (RunParams memory) {
        return _existing(run).params;
    }

    /// @inheritdoc ITrainingLedger
    function runOf(uint64 run) external view returns (RunView memory) {
        Run storage state = _existing(run);
        Progress memory progress = state.progress;
        return RunView({
            openedBlock: progress.openedBlock,
            sponsor: state.sponsor,
            paramsDigest: state.paramsDigest,
            head: state.head,
            headRound: progress.headRound,
            modelRoot: state.modelRoot,
            checkpointCid: state.checkpointCid,
            lastRound: progress.lastRound,
            finalisedRounds: progress.finalisedRounds,
            failedClosings: progress.failedClosings,
            ended: _hasEnded(run, state)
        });
    }

    /// @inheritdoc ITrainingLedger
    function hasEnded(uint64 run) external view returns (bool) {
        return _hasEnded(run, _existing(run));
    }

    // ------------------------------------------------------------------ views: rounds

    /// @inheritdoc ITrainingLedger
    function roundOf(uint64 run, uint32 round) external view returns (RoundView memory view_) {
        Round.Data storage data = _existing(run, round);
        RunParams storage params = _runs[run].params;
        Round.State memory state = data.state;
        Round.Tally memory tally = data.tally;
        (view_.phase, view_.failure) = data.phase(_runs[run].terms);
        view_.closing = state.isClosing();
        view_.openedBlock = state.openedBlock;
        view_.rosterBefore = state.rosterBefore;
        view_.commitEnd = uint40(state.blockOf(state.commitEnd));
        view_.judgeEnd = uint40(state.blockOf(state.judgeEnd));
        view_.attestEnd = uint40(state.blockOf(state.attestEnd));
        view_.commitDeadline = state.openedBlock + params.commitBlocks;
        view_.fetchDeadline = view_.commitEnd + params.fetchBlocks;
        view_.judgeDeadline = view_.commitDeadline + params.judgeBlocks;
        view_.attestDeadline = view_.judgeDeadline + params.attestBlocks;
        view_.finaliseDeadline = uint40(state.finaliseDeadline(_runs[run].terms));
        view_.finalisedBlock = data.record.finalisedBlock;
        view_.parentRound = data.record.parentRound;
        view_.head = _rounds[run][view_.parentRound].record.head;
        view_.beaconBefore = _rounds[run][round - 1].beacon;
        view_.validators = state.validators;
        view_.quorum = uint8(Quorum.quorum(state.validators));
        view_.validatorSetVersion = state.validatorSetVersion;
        view_.activeMembers = tally.activeMembers;
        for (uint256 word = 0; word < 4; ++word) {
            view_.invited += uint16(Bits.count(data.invited[word]));
        }
        view_.places = state.places;
        view_.minAccepted = tally.minAccepted;
        view_.commits = state.commits;
        view_.verdicts = uint8(Bits.count(tally.voted));
        view_.attestations = uint8(Bits.count(state.attested));
        view_.accepted = Round.accepted(tally, state);
        view_.verdictBitmap = tally.voted;
        view_.attestedBitmap = state.attested;
    }

    /// @inheritdoc ITrainingLedger
    function phaseOf(uint64 run, uint32 round) external view returns (Phase phase) {
        (phase,) = _existing(run, round).phase(_runs[run].terms);
    }

    /// @inheritdoc ITrainingLedger
    function failureOf(uint64 run, uint32 round) external view returns (Failure failure) {
        (, failure) = _existing(run, round).phase(_runs[run].terms);
    }

    /// @inheritdoc ITrainingLedger
    function isInvited(uint64 run, uint32 round, uint32 memberId) external view returns (bool) {
        return _isInvited(_existing(run, round), memberId);
    }

    /// @inheritdoc ITrainingLedger
    function commitOf(uint64 run, uint32 round, uint32 memberId) external view returns (bytes32) {
        return _rounds[run][round].commits[memberId];
    }

    /// @inheritdoc ITrainingLedger
    function commitsOf(uint64 run, uint32 round, uint32[] calldata memberIds) external view returns (bytes32[] memory) {
        return _commitsOf(_rounds[run][round], memberIds);
    }

    /// @inheritdoc ITrainingLedger
    function acceptedOf(uint64 run, uint32 round) external view returns (uint32) {
        Round.Data storage data = _existing(run, round);
        return Round.accepted(data.tally, data.state);
    }

    /// @inheritdoc ITrainingLedger
    function beaconOf(uint64 run, uint32 round) external view returns (bytes32) {
        if (round == 0) return _rounds[_checked(run)][0].beacon;
        Round.Data storage data = _existing(run, round);
        if (data.beacon != 0) return data.beacon;
        Round.State memory state = data.state;
        if (block.number <= state.blockOf(state.judgeEnd)) revert TrainingLedgerBeaconNotReady(run, round);
        return _nextBeacon(run, round);
    }

    /// @inheritdoc ITrainingLedger
    function beaconChainOf(uint64 run, uint16 validatorId) external view returns (bytes32 tip, uint40 registeredBlock) {
        BeaconChain memory chain = _chains[run][validatorId];
        return (chain.tip, chain.registeredBlock);
    }

    /// @inheritdoc ITrainingLedger
    function sealOf(uint64 run, uint32 round, uint16 validatorId) external view returns (bytes32) {
        if (round != _runs[run].progress.lastRound) return 0;
        Round.State memory state = _existing(run, round).state;
        uint16[] memory ids = consortium.validatorIds(state.validatorSetVersion);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] == validatorId) return Bits.has(state.attested, i) ? _seals[run][validatorId] : bytes32(0);
        }
        return 0;
    }

    /// @inheritdoc ITrainingLedger
    function seatInRound(uint64 run, uint32 round, address signer)
        external
        view
        returns (uint8 index, uint16 validatorId, uint8 validators)
    {
        Round.State memory state = _existing(run, round).state;
        (index, validatorId) = consortium.seatOf(state.validatorSetVersion, signer);
        validators = state.validators;
    }

    /// @inheritdoc ITrainingLedger
    function commitmentDigest(UpdateCommitment calldata commitment) public view returns (bytes32) {
        return _hashTypedDataV4(CommitSlot.structHash(commitment, _runs[commitment.run].head));
    }

    /// @inheritdoc ITrainingLedger
    function finalisationContext(uint64 run, uint32 round, uint32[] calldata memberIds)
        external
        view
        returns (FinalisationContext memory context)
    {
        Round.Data storage data = _rounds[run][round];
        _requirePhase(run, round, data, Phase.Finalising);
        Run storage state = _runs[run];
        Round.State memory roundState = data.state;

        context.closing = roundState.isClosing();
        context.commitCount = roundState.commits;
        context.commits = _commitsOf(data, memberIds);
        context.accepted = Round.accepted(data.tally, roundState);
        context.attestEnd = uint40(roundState.blockOf(roundState.attestEnd));
        context.viewBlocks = state.terms.viewBlocks;
        context.verifier = state.terms.verifier;
        context.parentHead = state.head;
        if (context.closing) {
            (context.parentModelRoot, context.parentCheckpointCid) = (state.modelRoot, state.checkpointCid);
        }
        context.ruleId = state.params.ruleId;
        context.paramsDigest = state.paramsDigest;

        (context.validatorSetDigest, context.signers, context.validatorIds) =
            consortium.validatorSeats(roundState.validatorSetVersion);
        context.beacon = _beaconFrom(run, _rounds[run][round - 1].beacon, data.tally.voted, context.validatorIds);
        context.seals = new bytes32[](context.signers.length);
        for (uint256 i = 0; i < context.signers.length; ++i) {
            if (Bits.has(roundState.attested, i)) context.seals[i] = _seals[run][context.validatorIds[i]];
        }
    }

    // ------------------------------------------------------------------ views: lineage

    /// @inheritdoc ITrainingLedger
    function recordOf(uint64 run, uint32 round) external view returns (RoundRecord memory) {
        return _finalised(run, round);
    }

    /// @inheritdoc ITrainingLedger
    function lineage(uint64 run, uint32 round) external view returns (bytes32 head, uint32 parentRound, bytes32 parentHead) {
        RoundRecord storage record = _finalised(run, round);
        head = record.head;
        if (round != 0) {
            parentRound = record.parentRound;
            parentHead = _rounds[run][parentRound].record.head;
        }
    }

    /// @inheritdoc ITrainingLedger
    function isFinalModel(bytes32 modelRoot) external view returns (bool) {
        return _finalModels[modelRoot].run != 0;
    }

    /// @inheritdoc ITrainingLedger
    function finalModelOf(bytes32 modelRoot) external view returns (uint64 run, uint32 round) {
        FinalModel memory model = _finalModels[modelRoot];
        return (model.run, model.round);
    }

    // ------------------------------------------------------------------ internals

    function _checked(uint64 run) private view returns (uint64) {
        _existing(run);
        return run;
    }

    function _existing(uint64 run) private view returns (Run storage state) {
        if (run == 0 || run > runCount) revert TrainingLedgerUnknownRun(run);
        return _runs[run];
    }

    function _existing(uint64 run, uint32 round) private view returns (Round.Data storage data) {
        data = _rounds[run][round];
        if (round == 0 || data.state.openedBlock == 0) revert TrainingLedgerUnknownRound(run, round);
    }

    function _finalised(uint64 run, uint32 round) private view returns (RoundRecord storage record) {
        record = _rounds[run][round].record;
        if (record.finalisedBlock == 0) revert TrainingLedgerNotFinalised(run, round);
    }

    function _requirePhase(uint64 run, uint32 round, Round.Data storage data, Phase wanted) private view {
        (Phase phase,) = data.phase(_runs[run].terms);
        if (phase != wanted) _wrongPhase(run, round, wanted);
    }

    /// Reverts with the phase the round is in.
    function _wrongPhase(uint64 run, uint32 round, Phase wanted) private view {
        (Phase phase,) = _existing(run, round).phase(_runs[run].terms);
        revert TrainingLedgerWrongPhase(run, round, phase, wanted);
    }

    function _isClosing(Round.Data storage data) private view returns (bool) {
        return data.state.flags & Round.CLOSING != 0;
    }

    function _isInvited(Round.Data storage data, uint32 memberId) private view returns (bool) {
        if (memberId == 0 || memberId > 1024) return false;
        uint256 bit = memberId - 1;
        return Bits.has(data.invited[bit / 256], bit % 256);
    }

    function _commitsOf(Round.Data storage data, uint32[] calldata memberIds) private view returns (bytes32[] memory slots) {
        mapping(uint32 => bytes32) storage commits = data.commits;
        slots = new bytes32[](memberIds.length);
        for (uint256 i = 0; i < memberIds.length; ++i) {
            slots.put(i, commits[memberIds[i]]);
        }
    }

    /// R_t of the last opened round: its validators' tips are what they revealed, until the next round is judged.
    function _nextBeacon(uint64 run, uint32 round) private view returns (bytes32) {
        Round.Data storage data = _rounds[run][round];
        uint16[] memory ids = consortium.validatorIds(data.state.validatorSetVersion);
        return _beaconFrom(run, _rounds[run][round - 1].beacon, data.tally.voted, ids);
    }

    function _beaconFrom(uint64 run, bytes32 previous, uint32 voted, uint16[] memory ids) private view returns (bytes32) {
        bytes32[] memory reveals = new bytes32[](Bits.count(voted));
        uint256 next = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (Bits.has(voted, i)) reveals[next++] = _chains[run][ids[i]].tip;
        }
        return keccak256(abi.encode(TAG_BEACON, previous, reveals));
    }

    /// Whether no round follows a closed one.
    function _noneLeft(Progress memory progress, RunParams storage params) private view returns (bool) {
        return progress.closed || progress.failedClosings >= MAX_FAILED_CLOSINGS
            || progress.lastRound >= params.maxOpenings;
    }

    function _hasEnded(uint64 run, Run storage state) private view returns (bool) {
        Progress memory progress = state.progress;
        if (progress.lastRound == 0) return false;
        Round.Data storage last = _rounds[run][progress.lastRound];
        (Phase phase,) = last.phase(state.terms);
        if (phase != Phase.Finalised && phase != Phase.Failed) return false;
        if (phase == Phase.Failed && _isClosing(last)) ++progress.failedClosings;
        return _noneLeft(progress, state.params);
    }
}
