// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {IProofOfTraining} from "../interfaces/IProofOfTraining.sol";
import {IProofVerifier} from "../interfaces/IProofVerifier.sol";
import {IShapleyRewards} from "../interfaces/IShapleyRewards.sol";
import {ITrainingLedger} from "../interfaces/ITrainingLedger.sol";
import {Bits} from "../libraries/Bits.sol";
import {CommitSlot} from "../libraries/CommitSlot.sol";
import {LossBinding} from "../libraries/LossBinding.sol";
import {ParticipantsTree} from "../libraries/ParticipantsTree.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Raw} from "../libraries/Raw.sol";
import {ONE_Q16} from "../types/Limits.sol";
import {Credit, CreditLibrary} from "../types/Credit.sol";
import {Role} from "../types/RosterTypes.sol";
import {CommittedUpdate, Finalisation, FinalisationContext, RoundResult} from "../types/RoundTypes.sol";
import {RunParams} from "../types/RunTypes.sol";
import {TAG_ATTESTATION, TAG_HEAD} from "../types/Tags.sol";

/// @title Seals, quorum, proof of reported loss, finalisation
/// @dev Has no storage of its own. `finalise` reads top to bottom: who may call, what was committed, the result, its seals, its proof, effects.
contract ProofOfTraining is IProofOfTraining {
    using Raw for bytes32[];
    using Raw for uint32[];
    using Raw for int32[];
    using Raw for uint256[];
    using Raw for Credit[];
    using Raw for CommittedUpdate[];
    using Raw for CommittedUpdate;

    /// What the committed updates and the proposer's rows come to.
    struct Tallied {
        Credit[] credits;
        bytes32 participantsRoot;
        /// v of the proof of reported loss.
        uint256[] lossVector;
    }

    IConsortium public immutable consortium;
    ITrainingLedger public immutable trainingLedger;
    IShapleyRewards public immutable shapleyRewards;

    constructor(IConsortium consortium_, ITrainingLedger trainingLedger_, IShapleyRewards shapleyRewards_) {
        consortium = consortium_;
        trainingLedger = trainingLedger_;
        shapleyRewards = shapleyRewards_;
    }

    /// @inheritdoc IProofOfTraining
    function attest(uint64 run, uint32 round, bytes32 seal) external {
        (uint16 validatorId, uint8 validatorIndex, bool scored) =
            trainingLedger.recordAttestation(run, round, msg.sender, seal);
        if (scored) revert ProofOfTrainingScoresMissing(run, round);
        emit Attested(run, round, validatorId, validatorIndex, seal);
    }

    /// @inheritdoc IProofOfTraining
    function attestWithScores(uint64 run, uint32 round, bytes32 seal, bytes32 scoreCommitment) external {
        (uint16 validatorId, uint8 validatorIndex, bool scored) =
            trainingLedger.recordAttestation(run, round, msg.sender, seal);
        if (!scored) revert ProofOfTrainingScoresUnwanted(run, round);
        if (scoreCommitment == 0) revert ProofOfTrainingScoresMissing(run, round);
        emit Attested(run, round, validatorId, validatorIndex, seal);
        shapleyRewards.commitScores(run, round, validatorId, validatorIndex, scoreCommitment);
    }

    /// @inheritdoc IProofOfTraining
    function finalise(uint64 run, uint32 round, Finalisation calldata finalisation) external returns (bytes32 head) {
        FinalisationContext memory context =
            trainingLedger.finalisationContext(run, round, _memberIds(finalisation.committed));
        _checkCaller(run, round, context);
        _checkShape(finalisation, context);
        Tallied memory tallied = _tally(run, round, finalisation, context);

        RoundResult memory result = RoundResult({
            run: run,
            round: round,
            head: context.parentHead,
            accepted: context.accepted,
            kept: finalisation.kept,
            participantsRoot: tallied.participantsRoot,
            modelRoot: finalisation.modelRoot,
            checkpointCid: finalisation.checkpointCid,
            updateNormSq: finalisation.updateNormSq,
            reportedLoss: finalisation.reportedLoss,
            scoresDigest: finalisation.scores.hash(),
            beacon: context.beacon,
            extension: finalisation.extension
        });
        uint32 agreeing = _agreeing(result, context.signers, context.seals);
        _checkProof(result, finalisation, tallied.lossVector, context.verifier);

        head = _head(result, context.validatorSetDigest, context.ruleId, context.paramsDigest);
        trainingLedger.recordFinalisation(result, head);
        if (!context.closing) shapleyRewards.credit(run, tallied.credits);
        emit Finalised(
            run,
            round,
            head,
            msg.sender,
            agreeing,
            result,
            finalisation.weights,
            finalisation.scores,
            finalisation.bindingDigest,
            finalisation.proof
        );
    }

    /// @inheritdoc IProofOfTraining
    function sealFor(RoundResult calldata result, address signer) external view returns (bytes32) {
        return keccak256(abi.encode(TAG_ATTESTATION, block.chainid, address(this), result, signer));
    }

    /// @inheritdoc IProofOfTraining
    function openHead(RoundResult calldata result, CommittedUpdate[] calldata accepted)
        external
        view
        returns (uint32[] memory memberIds, uint256 kept)
    {
        (uint64 run, uint32 round) = (result.run, result.round);
        RunParams memory params = trainingLedger.paramsOf(run);
        bytes32 setDigest = consortium.validatorSetDigest(trainingLedger.roundOf(run, round).validatorSetVersion);
        bytes32 given = _head(result, setDigest, params.ruleId, keccak256(abi.encode(params)));
        bytes32 recorded = trainingLedger.recordOf(run, round).head;
        if (given != recorded) revert ProofOfTrainingNotTheResult(run, round, given, recorded);

        uint256 count = Bits.count(result.accepted);
        if (accepted.length != count) revert ProofOfTrainingCommitCount(accepted.length, count);
        memberIds = _memberIds(accepted);
        bytes32[] memory slots = trainingLedger.commitsOf(run, round, memberIds);
        for (uint256 i = 0; i < count; ++i) {
            _checkCommit(run, round, accepted[i], slots[i]);
            uint8 commitIndex = accepted[i].commitIndex;
            if (!Bits.has(result.accepted, commitIndex)) revert ProofOfTrainingNotAccepted(memberIds[i], commitIndex);
            if (Bits.has(result.kept, commitIndex)) kept |= 1 << i;
        }
    }

    function _head(RoundResult memory result, bytes32 setDigest, bytes32 ruleId, bytes32 paramsDigest)
        private
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(TAG_HEAD, block.chainid, address(this), result, setDigest, ruleId, paramsDigest));
    }

    /// In view v the validators (round + j) mod n with j ≤ v may call: one at first, one more after each view.
    function _checkCaller(uint64 run, uint32 round, FinalisationContext memory context) private view {
        uint256 n = context.signers.length;
        uint256 index = 0;
        while (index < n && context.signers[index] != msg.sender) ++index;
        if (index == n) revert IConsortium.ConsortiumUnauthorized(msg.sender, Role.Validator);
        uint16 validatorId = context.validatorIds[index];
        if (consortium.validatorSuspended(validatorId)) {
            revert IConsortium.ConsortiumSuspended(Role.Validator, validatorId);
        }
        uint256 viewNumber = (block.number - context.attestEnd) / context.viewBlocks;
        uint256 turn = (index + n - (round % n)) % n;
        if (turn > viewNumber) revert ProofOfTrainingNotInView(run, round, msg.sender, viewNumber);
    }

    /// What needs no reading of updates.
    function _checkShape(Finalisation calldata finalisation, FinalisationContext memory context) private pure {
        if (finalisation.extension != 0) revert ProofOfTrainingBadExtension(finalisation.extension);
        if (finalisation.committed.length != context.commitCount) {
            revert ProofOfTrainingCommitCount(finalisation.committed.length, context.commitCount);
        }
        uint256 kept = finalisation.kept;
        if (kept & ~uint256(context.accepted) != 0 || (context.closing && kept != 0)) {
            revert ProofOfTrainingBadKept(kept, context.accepted);
        }
        uint256 accepted = Bits.count(context.accepted);
        if (finalisation.scores.length != accepted) {
            revert ProofOfTrainingScoreCount(finalisation.scores.length, accepted);
        }
        // A round with fewer accepted updates than the rule needs has failed, so `accepted` is not 0.
        if (finalisation.weights.length == 0 || finalisation.weights.length % accepted != 0) {
            revert ProofOfTrainingWeightCount(finalisation.weights.length, accepted);
        }
        bool modelStays = finalisation.modelRoot == context.parentModelRoot
            && finalisation.checkpointCid == context.parentCheckpointCid && finalisation.updateNormSq == 0;
        if (context.closing && !modelStays) {
            revert ProofOfTrainingClosingChangesModel(
                finalisation.modelRoot, finalisation.checkpointCid, finalisation.updateNormSq
            );
        }
    }

    /// One pass over the committed updates: each is what its member signed, in ascending member id, and those accepted enter the tree and v.
    /// @dev All commits are here: there are as many as the ledger counted, and ascending ids repeat none. So the accepted ones among them are as
    /// many as `scores` and rows of `weights` (_checkShape), which bounds `row`. Fields of an update are read unchecked after its digest has
    /// matched the ledger's slot, which only words in range can.
    function _tally(uint64 run, uint32 round, Finalisation calldata finalisation, FinalisationContext memory context)
        private
        pure
        returns (Tallied memory tallied)
    {
        CommittedUpdate[] calldata committed = finalisation.committed;
        uint32[] calldata weights = finalisation.weights;
        uint256 groups = weights.length / finalisation.scores.length;
        uint256 kept = finalisation.kept;
        uint256 accepted = context.accepted;
        bytes32[] memory leaves = new bytes32[](finalisation.scores.length);
        Credit[] memory credits = new Credit[](committed.length);
        uint256[] memory v = new uint256[](1 + 2 * leaves.length);
        v.put(0, (uint256(run) << 32) | round);

        uint256 row = 0;
        for (uint256 i = 0; i < committed.length; ++i) {
            CommittedUpdate calldata update = committed.at(i);
            _checkCommit(run, round, update, context.commits.at(i));
            uint256 memberId = update.memberIdOf();
            uint256 commitIndex = update.commitIndexOf();
            if (!Bits.has(accepted, commitIndex)) {
                credits.put(i, CreditLibrary.make(memberId, false, 0));
                continue;
            }
            int32 score = finalisation.scores[row];
            if (Bits.has(kept, commitIndex)) {
                credits.put(i, CreditLibrary.make(memberId, true, score));
            } else {
                _checkNotKept(memberId, weights, row, groups, score);
                credits.put(i, CreditLibrary.make(memberId, false, 0));
            }
            unchecked {
                leaves.put(row, ParticipantsTree.leaf(update, weights, row * groups, groups));
                v.put(2 * row + 1, update.lossCommitment);
                v.put(2 * row + 2, (memberId << 32) | update.samplesOf());
                ++row;
            }
        }
        _checkColumns(weights, groups);
        tallied.credits = credits;
        tallied.lossVector = v;
        tallied.participantsRoot = ParticipantsTree.root(leaves);
    }

    function _memberIds(CommittedUpdate[] calldata committed) private pure returns (uint32[] memory ids) {
        ids = new uint32[](committed.length);
        uint256 previous = 0;
        for (uint256 i = 0; i < committed.length; ++i) {
            uint32 id = committed.at(i).memberId;
            if (id <= previous) revert ProofOfTrainingMembersNotAscending(uint32(previous), id);
            ids.put(i, id);
            previous = id;
        }
    }

    function _checkCommit(uint64 run, uint32 round, CommittedUpdate calldata update, bytes32 slot) private pure {
        bytes32 given = CommitSlot.digest(run, round, update);
        if (given != slot) revert ProofOfTrainingCommitMismatch(update.memberId, given, slot);
    }

    function _checkNotKept(uint256 memberId, uint32[] calldata weights, uint256 row, uint256 groups, int32 score)
        private
        pure
    {
        if (score != 0) revert ProofOfTrainingNotKept(uint32(memberId), 0, score);
        for (uint256 i = row * groups; i < (row + 1) * groups; ++i) {
            if (weights[i] != 0) revert ProofOfTrainingNotKept(uint32(memberId), weights[i], score);
        }
    }

    /// Each column sums to at most 1, so the model never moves further than its updates.
    /// @dev Read unchecked: `i` is below the length, and one word above 2^16 (let alone 2^32, which the leaves would cut off) fails the sum, which
    /// cannot overflow before it does.
    function _checkColumns(uint32[] calldata weights, uint256 groups) private pure {
        for (uint256 g = 0; g < groups; ++g) {
            uint256 sum = 0;
            for (uint256 i = g; i < weights.length; i += groups) {
                uint256 weight = weights.at(i);
                if (weight > ONE_Q16) revert ProofOfTrainingColumnSum(g, weight);
                sum += weight;
            }
            if (sum > ONE_Q16) revert ProofOfTrainingColumnSum(g, sum);
        }
    }

    /// Validators whose stored seal opens to this result; at least q.
    function _agreeing(RoundResult memory result, address[] memory signers, bytes32[] memory seals)
        private
        view
        returns (uint32 agreeing)
    {
        // The encoding differs between validators in its last word only.
        bytes memory opened = abi.encode(TAG_ATTESTATION, block.chainid, address(this), result, address(0));
        for (uint256 i = 0; i < signers.length; ++i) {
            address signer = signers[i];
            assembly ("memory-safe") {
                mstore(add(opened, mload(opened)), signer)
            }
            if (keccak256(opened) == seals[i]) agreeing |= uint32(1) << uint32(i);
        }
        uint256 count = Bits.count(agreeing);
        uint256 quorum = Quorum.quorum(signers.length);
        if (count < quorum) revert ProofOfTrainingNoQuorum(count, quorum);
    }

    function _checkProof(
        RoundResult memory result,
        Finalisation calldata finalisation,
        uint256[] memory lossVector,
        address verifier
    ) private view {
        uint256 digest = finalisation.bindingDigest;
        (uint256 r, uint256 evaluation) = LossBinding.challenge(
            address(this), result.run, result.round, result.head, result.reportedLoss, lossVector, digest
        );
        bool holds = IProofVerifier(verifier).verify(
            finalisation.proof.a,
            finalisation.proof.b,
            finalisation.proof.c,
            [digest, r, evaluation, uint256(result.reportedLoss)]
        );
        if (!holds) revert ProofOfTrainingBadProof(digest, r, evaluation, result.reportedLoss);
    }
}
