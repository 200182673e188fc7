// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IProofOfTraining} from "../interfaces/IProofOfTraining.sol";
import {IShapleyRewards} from "../interfaces/IShapleyRewards.sol";
import {ITrainingLedger} from "../interfaces/ITrainingLedger.sol";
import {AttestedScores} from "../libraries/AttestedScores.sol";
import {Bits} from "../libraries/Bits.sol";
import {Split} from "../libraries/Split.sol";
import {StandingSlot, StandingSlotLibrary} from "../libraries/StandingSlot.sol";
import {Credit} from "../types/Credit.sol";
import {ATTESTED_SCORING} from "../types/Limits.sol";
import {AttestedRound, CutOff, Dispute, RewardAccount, ScoreReveal, Standing} from "../types/RewardTypes.sol";
import {Role} from "../types/RosterTypes.sol";
import {CommittedUpdate, RoundResult, RoundView} from "../types/RoundTypes.sol";
import {RunParams} from "../types/RunTypes.sol";

/// @dev The wiring of TrainingLedger and ProofOfTraining, which the constructor checks.
interface IWired {
    function consortium() external view returns (address);
    function trainingLedger() external view returns (address);
    function proofOfTraining() external view returns (address);
    function shapleyRewards() external view returns (address);
}

/// @title Escrow, reputation, contribution, disputes, settlement, claims
/// @dev Tokens leave only by `claim`, `claimRefund` and `withdrawBond`, each after its state is written. What a run may pay is bounded by its own
/// account, so a hostile token of one run cannot touch another's.
contract ShapleyRewards is IShapleyRewards, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct DisputeState {
        uint32 parties;
        uint32 votes;
        bool upheld;
        bool voided;
    }

    /// Shares of a settlement by memberId − 1, and their sums.
    struct Shares {
        uint256[] contribution;
        uint256[] participation;
        uint256 contributionSum;
        uint256 participationSum;
    }

    IConsortium public immutable consortium;
    ITrainingLedger public immutable trainingLedger;
    address public immutable proofOfTraining;

    mapping(uint64 run => RewardAccount) private _accounts;
    mapping(uint64 run => mapping(uint32 memberId => StandingSlot)) private _standings;
    mapping(uint64 run => mapping(uint32 round => DisputeState)) private _disputes;
    mapping(uint64 run => mapping(uint32 round => mapping(Role => mapping(uint32 id => bool)))) private _bonds;
    mapping(uint64 run => mapping(uint32 round => AttestedScores.State)) private _attested;

    /// @dev Deployed last: refuses contracts that are not wired to each other and to this one.
    constructor(IConsortium consortium_, ITrainingLedger trainingLedger_, address proofOfTraining_) {
        IWired ledger = IWired(address(trainingLedger_));
        IWired proof = IWired(proofOfTraining_);
        bool wired = ledger.consortium() == address(consortium_) && proof.consortium() == address(consortium_)
            && ledger.proofOfTraining() == proofOfTraining_ && proof.trainingLedger() == address(ledger)
            && ledger.shapleyRewards() == address(this) && proof.shapleyRewards() == address(this);
        if (!wired) revert ShapleyRewardsMiswired(address(consortium_), address(trainingLedger_), proofOfTraining_);
        consortium = consortium_;
        trainingLedger = trainingLedger_;
        proofOfTraining = proofOfTraining_;
    }

    // ------------------------------------------------------------------ for the other contracts

    /// @inheritdoc IShapleyRewards
    function escrow(uint64 run, address sponsor, RunParams calldata params) external nonReentrant {
        if (msg.sender != address(trainingLedger)) revert ShapleyRewardsUnauthorized(msg.sender);
        if ((params.pool != 0 || params.disputeBond != 0) && params.token.code.length == 0) {
            revert ShapleyRewardsNoToken(params.pool, params.disputeBond);
        }
        RewardAccount storage account = _accounts[run];
        account.sponsor = sponsor;
        account.token = params.token;
        account.pool = params.pool;
        account.disputeBond = params.disputeBond;
        account.challengeBlocks = params.challengeBlocks;
        account.alphaQ16 = params.alphaQ16;
        account.omegaQ16 = params.omegaQ16;
        account.scoring = params.scoring;
        emit Escrowed(run, sponsor, params.token, params.pool);
        _pull(params.token, sponsor, params.pool);
    }

    /// @inheritdoc IShapleyRewards
    function credit(uint64 run, Credit[] calldata credits) external {
        if (msg.sender != proofOfTraining) revert ShapleyRewardsUnauthorized(msg.sender);
        RewardAccount storage account = _accounts[run];
        uint256 alphaQ16 = account.alphaQ16;
        if (account.scoring == ATTESTED_SCORING) {
            _checkNoScores(run, credits);
            ++account.pendingScores;
        }
        account.windowEnd = uint40(_latest(account.windowEnd, block.number + _disputeBlocks(account)));

        mapping(uint32 => StandingSlot) storage standings = _standings[run];
        for (uint256 i = 0; i < credits.length; ++i) {
            uint32 memberId = credits[i].memberId();
            standings[memberId] = standings[memberId].book(credits[i], alphaQ16);
        }
    }

    /// @inheritdoc IShapleyRewards
    function commitScores(uint64 run, uint32 round, uint16 validatorId, uint8 validatorIndex, bytes32 commitment) external {
        if (msg.sender != proofOfTraining) revert ShapleyRewardsUnauthorized(msg.sender);
        _attested[run][round].commitments[validatorIndex] = commitment;
        emit ScoresCommitted(run, round, validatorId, validatorIndex, commitment);
    }

    // ------------------------------------------------------------------ attested scores

    /// @inheritdoc IShapleyRewards
    function revealScores(uint64 run, uint32 round, int32[] calldata scores, bytes32 salt) external {
        (uint8 index, uint16 validatorId,) = trainingLedger.seatInRound(run, round, msg.sender);
        uint256 revealEnd = attestedScoresOf(run, round).revealEnd;
        if (revealEnd == 0) revert ShapleyRewardsNoAttestedScores(run, round);
        if (block.number > revealEnd) revert ShapleyRewardsWindowClosed(run, round, block.number, revealEnd);
        AttestedScores.State storage state = _attested[run][round];
        uint32 revealed = state.revealed;
        if (Bits.has(revealed, index)) revert ShapleyRewardsAlreadyRevealed(run, round, validatorId);
        uint256 kept = Bits.count(trainingLedger.recordOf(run, round).kept);
        if (scores.length != kept) revert ShapleyRewardsScoreCount(run, round, scores.length, kept);
        _checkCommitment(run, round, index, scores, salt);

        state.revealed = revealed | (uint32(1) << index);
        emit ScoresRevealed(run, round, validatorId, index, scores, salt);
    }

    /// @inheritdoc IShapleyRewards
    function bookScores(RoundResult calldata result, CommittedUpdate[] calldata accepted, ScoreReveal[] calldata reveals)
        external
    {
        (uint64 run, uint32 round) = (result.run, result.round);
        AttestedRound memory attested = attestedScoresOf(run, round);
        if (attested.revealEnd == 0) revert ShapleyRewardsNoAttestedScores(run, round);
        if (attested.voided) revert ShapleyRewardsAlreadyVoided(run, round);
        if (attested.booked) revert ShapleyRewardsAlreadyBooked(run, round);
        if (block.number <= attested.bookAfter) {
            revert ShapleyRewardsWindowOpen(run, block.number, attested.bookAfter);
        }
        _checkReveals(run, round, attested.revealed, reveals);
        (uint32[] memory memberIds, uint256 kept) = IProofOfTraining(proofOfTraining).openHead(result, accepted);

        _attested[run][round].booked = true;
        --_accounts[run].pendingScores;
        bool enough = reveals.length >= AttestedScores.needed(trainingLedger.roundOf(run, round).validators);
        uint32[] memory ids = new uint32[](Bits.count(kept));
        int32[] memory scores = new int32[](ids.length);
        uint256 row = 0;
        for (uint256 i = 0; i < memberIds.length; ++i) {
            if (!Bits.has(kept, i)) continue;
            ids[row] = memberIds[i];
            if (enough) {
                scores[row] = AttestedScores.lowerMedian(reveals, row);
                _addScore(run, memberIds[i], scores[row]);
            }
            ++row;
        }
        emit ScoresBooked(run, round, reveals.length, ids, scores);
    }

    // ------------------------------------------------------------------ disputes

    /// @inheritdoc IShapleyRewards
    function dispute(uint64 run, uint32 round) external nonReentrant {
        (Role role, uint32 id) = consortium.participantOf(msg.sender);
        if (role != Role.Member && role != Role.Validator) revert ShapleyRewardsUnauthorized(msg.sender);
        RewardAccount storage account = _accounts[run];
        (uint256 raiseEnd,) = _window(run, round);
        DisputeState storage state = _disputes[run][round];
        if (raiseEnd == 0 || state.upheld) revert ShapleyRewardsNothingToDispute(run, round);
        if (block.number > raiseEnd) revert ShapleyRewardsWindowClosed(run, round, block.number, raiseEnd);
        if (_bonds[run][round][role][id]) revert ShapleyRewardsAlreadyDisputed(run, round, role, id);

        uint128 bond = account.disputeBond;
        _bonds[run][round][role][id] = true;
        ++state.parties;
        // Escrow and bonds together stay within 128 bits: checked here, so that settlement cannot overflow.
        account.bondsAtStake += bond;
        account.pool + account.bondsAtStake;
        account.windowEnd = uint40(_latest(account.windowEnd, raiseEnd + account.challengeBlocks));
        emit Disputed(run, round, role, id, bond);
        _pull(account.token, msg.sender, bond);
    }

    /// @inheritdoc IShapleyRewards
    function voteToVoid(uint64 run, uint32 round) external {
        (uint8 index, uint16 validatorId,) = trainingLedger.seatInRound(run, round, msg.sender);
        DisputeState storage state = _disputes[run][round];
        if (state.parties == 0) revert ShapleyRewardsNotDisputed(run, round);
        RewardAccount storage account = _accounts[run];
        (uint256 raiseEnd, uint256 quorum) = _window(run, round);
        uint256 voteEnd = raiseEnd + account.challengeBlocks;
        if (block.number > voteEnd) revert ShapleyRewardsWindowClosed(run, round, block.number, voteEnd);
        if (Bits.has(state.votes, index)) revert ShapleyRewardsAlreadyVoted(run, round, validatorId);

        uint32 votes = state.votes | (uint32(1) << index);
        state.votes = votes;
        uint256 count = Bits.count(votes);
        emit VoidVote(run, round, validatorId, count, quorum);
        if (count < quorum || state.upheld) return;

        state.upheld = true;
        account.bondsAtStake -= account.disputeBond * state.parties;
        if (account.scoring == ATTESTED_SCORING) {
            // Booking waits for the end of voting, so there is nothing to take back.
            state.voided = true;
            --account.pendingScores;
            emit ScoresVoided(run, round, new uint32[](0), new int32[](0));
        } else {
            ++account.pendingVoids;
        }
    }

    /// @inheritdoc IShapleyRewards
    function voidScores(RoundResult calldata result, CommittedUpdate[] calldata accepted, int32[] calldata scores) external {
        (uint64 run, uint32 round) = (result.run, result.round);
        DisputeState storage state = _disputes[run][round];
        if (!state.upheld) {
            (, uint256 quorum) = _window(run, round);
            revert ShapleyRewardsNotUpheld(run, round, Bits.count(state.votes), quorum);
        }
        if (state.voided) revert ShapleyRewardsAlreadyVoided(run, round);
        (uint32[] memory memberIds, uint256 kept) = IProofOfTraining(proofOfTraining).openHead(result, accepted);
        bytes32 given = keccak256(abi.encodePacked(scores));
        if (given != result.scoresDigest) revert ShapleyRewardsScoresMismatch(run, round, given, result.scoresDigest);

        state.voided = true;
        --_accounts[run].pendingVoids;
        for (uint256 i = 0; i < memberIds.length; ++i) {
            if (!Bits.has(kept, i)) continue;
            Standing memory standing = standingOf(run, memberIds[i]);
            standing.contribution -= scores[i];
            if (scores[i] > 0) --standing.participation;
            _standings[run][memberIds[i]] = StandingSlotLibrary.pack(standing);
        }
        emit ScoresVoided(run, round, memberIds, scores);
    }

    /// @inheritdoc IShapleyRewards
    function withdrawBond(uint64 run, uint32 round) external nonReentrant {
        (Role role, uint32 id) = consortium.holderOf(msg.sender);
        if (!_disputes[run][round].upheld || !_bonds[run][round][role][id]) {
            revert ShapleyRewardsNoBond(run, round, role, id);
        }
        _bonds[run][round][role][id] = false;
        RewardAccount storage account = _accounts[run];
        emit BondReturned(run, round, msg.sender, account.disputeBond);
        _push(account.token, msg.sender, account.disputeBond);
    }

    // ------------------------------------------------------------------ settlement

    /// @inheritdoc IShapleyRewards
    function settle(uint64 run, CutOff calldata contribution, CutOff calldata participation) external {
        RewardAccount storage account = _existing(run);
        if (account.settled) revert ShapleyRewardsAlreadySettled(run);
        if (!trainingLedger.hasEnded(run)) revert ShapleyRewardsRunNotEnded(run);
        if (block.number <= account.windowEnd) revert ShapleyRewardsWindowOpen(run, block.number, account.windowEnd);
        if (account.pendingVoids != 0) revert ShapleyRewardsVoidPending(run, account.pendingVoids);
        if (account.pendingScores != 0) revert ShapleyRewardsScoresPending(run, account.pendingScores);

        account.settled = true;
        uint256 pool = uint256(account.pool) + account.bondsAtStake;
        Shares memory shares = _shares(run);
        if (shares.participationSum == 0) {
            account.refund = uint128(pool);
            emit Settled(run, pool, pool, new uint32[](0), new uint128[](0));
            return;
        }
        _distribute(run, pool, account.omegaQ16, shares, contribution, participation);
    }

    /// @inheritdoc IShapleyRewards
    function claim(uint64 run) external nonReentrant {
        (Role role, uint32 memberId) = consortium.holderOf(msg.sender);
        if (role != Role.Member) revert ShapleyRewardsUnauthorized(msg.sender);
        Standing memory standing = standingOf(run, memberId);
        uint128 reward = standing.reward;
        if (reward == 0 || standing.claimed) revert ShapleyRewardsNothingToClaim(run, memberId);
        standing.claimed = true;
        _standings[run][memberId] = StandingSlotLibrary.pack(standing);
        emit Claimed(run, memberId, msg.sender, reward);
        _push(_accounts[run].token, msg.sender, reward);
    }

    /// @inheritdoc IShapleyRewards
    function claimRefund(uint64 run) external nonReentrant {
        RewardAccount storage account = _existing(run);
        if (msg.sender != account.sponsor) revert ShapleyRewardsUnauthorized(msg.sender);
        if (!account.settled) revert ShapleyRewardsNotSettled(run);
        uint128 refund = account.refund;
        if (refund == 0) revert ShapleyRewardsNothingToRefund(run);
        account.refund = 0;
        emit Refunded(run, msg.sender, refund);
        _push(account.token, msg.sender, refund);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IShapleyRewards
    function accountOf(uint64 run) external view returns (RewardAccount memory) {
        return _existing(run);
    }

    /// @inheritdoc IShapleyRewards
    function standingOf(uint64 run, uint32 memberId) public view returns (Standing memory) {
        return _standings[run][memberId].unpack();
    }

    /// @inheritdoc IShapleyRewards
    function disputeOf(uint64 run, uint32 round) external view returns (Dispute memory) {
        DisputeState memory state = _disputes[run][round];
        (uint256 raiseEnd,) = _window(run, round);
        return Dispute({
            raiseEnd: uint40(raiseEnd),
            parties: state.parties,
            votes: state.votes,
            upheld: state.upheld,
            voided: state.voided
        });
    }

    /// @inheritdoc IShapleyRewards
    function attestedScoresOf(uint64 run, uint32 round) public view returns (AttestedRound memory attested) {
        RewardAccount storage account = _accounts[run];
        if (account.scoring != ATTESTED_SCORING) return attested;
        (uint256 raiseEnd,) = _window(run, round);
        if (raiseEnd == 0) return attested;
        uint256 challengeBlocks = account.challengeBlocks;
        DisputeState storage dispute_ = _disputes[run][round];
        AttestedScores.State storage state = _attested[run][round];
        attested.revealEnd = uint40(raiseEnd - challengeBlocks);
        attested.bookAfter = uint40(dispute_.parties != 0 ? raiseEnd + challengeBlocks : raiseEnd);
        attested.revealed = state.revealed;
        attested.booked = state.booked;
        attested.voided = dispute_.upheld;
    }

    /// @inheritdoc IShapleyRewards
    function scoreCommitmentOf(uint64 run, uint32 round, uint8 validatorIndex) external view returns (bytes32) {
        return _attested[run][round].commitments[validatorIndex];
    }

    /// @inheritdoc IShapleyRewards
    function hasBond(uint64 run, uint32 round, Role role, uint32 id) external view returns (bool) {
        return _bonds[run][round][role][id];
    }

    // ------------------------------------------------------------------ internals

    function _existing(uint64 run) private view returns (RewardAccount storage account) {
        account = _accounts[run];
        if (account.sponsor == address(0)) revert ShapleyRewardsUnknownRun(run);
    }

    function _latest(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    /// Last block in which a round's scores can be disputed, 0 if it has none; and q of the round.
    function _window(uint64 run, uint32 round) private view returns (uint256 raiseEnd, uint256 quorum) {
        RoundView memory view_ = trainingLedger.roundOf(run, round);
        if (view_.finalisedBlock != 0 && !view_.closing) {
            raiseEnd = uint256(view_.finalisedBlock) + _disputeBlocks(_accounts[run]);
        }
        quorum = view_.quorum;
    }

    /// Blocks after finalisation in which scores can be disputed. Attested scores are revealed in the first half of them: what was revealed in
    /// the last possible block can still be disputed.
    function _disputeBlocks(RewardAccount storage account) private view returns (uint256) {
        uint256 challengeBlocks = account.challengeBlocks;
        return account.scoring == ATTESTED_SCORING ? 2 * challengeBlocks : challengeBlocks;
    }

    function _checkNoScores(uint64 run, Credit[] calldata credits) private pure {
        for (uint256 i = 0; i < credits.length; ++i) {
            int32 score = credits[i].score();
            if (score != 0) revert ShapleyRewardsScoreInResult(run, credits[i].memberId(), score);
        }
    }

    /// Exactly the revealed scores, each as its validator committed to it: ascending validator index.
    function _checkReveals(uint64 run, uint32 round, uint32 revealed, ScoreReveal[] calldata reveals) private view {
        uint256 count = Bits.count(revealed);
        if (reveals.length != count) revert ShapleyRewardsRevealCount(run, round, reveals.length, count);
        uint256 next = 0;
        for (uint8 index = 0; next < count; ++index) {
            if (!Bits.has(revealed, index)) continue;
            _checkCommitment(run, round, index, reveals[next].scores, reveals[next].salt);
            ++next;
        }
    }

    function _checkCommitment(uint64 run, uint32 round, uint8 index, int32[] calldata scores, bytes32 salt) private view {
        bytes32 given = AttestedScores.commitment(address(this), run, round, index, salt, scores);
        bytes32 committed = _attested[run][round].commitments[index];
        if (given != committed) revert ShapleyRewardsCommitmentMismatch(run, round, index, given, committed);
    }

    function _addScore(uint64 run, uint32 memberId, int32 score) private {
        Standing memory standing = standingOf(run, memberId);
        standing.contribution += score;
        if (score > 0) ++standing.participation;
        _standings[run][memberId] = StandingSlotLibrary.pack(standing);
    }

    /// One pass over the members ever admitted, at most 1024.
    function _shares(uint64 run) private view returns (Shares memory shares) {
        uint256 members = consortium.memberCount();
        shares.contribution = new uint256[](members);
        shares.participation = new uint256[](members);
        for (uint256 i = 0; i < members; ++i) {
            Standing memory standing = standingOf(run, uint32(i + 1));
            if (standing.contribution > 0) {
                shares.contribution[i] = uint56(standing.contribution);
                shares.contributionSum += shares.contribution[i];
            }
            shares.participation[i] = standing.participation;
            shares.participationSum += standing.participation;
        }
    }

    /// Writes every member's reward; reverts unless both cut-offs give exactly the units that the floors leave over, which makes Σ = pool.
    function _distribute(
        uint64 run,
        uint256 pool,
        uint256 omegaQ16,
        Shares memory shares,
        CutOff calldata contribution,
        CutOff calldata participation
    ) private {
        uint256 members = shares.participation.length;
        uint256 byContribution = shares.contributionSum == 0 ? 0 : (pool * omegaQ16) >> 16;
        uint256 byParticipation = pool - byContribution;
        uint32[] memory memberIds = new uint32[](members);
        uint128[] memory rewards = new uint128[](members);
        uint256 paid = 0;
        // Units given beyond the floors, and the sums of the floors.
        uint256[2] memory extra;
        uint256[2] memory total;
        for (uint256 i = 0; i < members; ++i) {
            uint256 participated = shares.participation[i];
            uint256 contributed = shares.contribution[i];
            if (participated == 0 && contributed == 0) continue;
            uint32 memberId = uint32(i + 1);
            (uint256 reward, uint256 unit) =
                Split.amountOf(byParticipation, participated, shares.participationSum, memberId, participation);
            total[1] += reward;
            extra[1] += unit;
            if (contributed != 0) {
                uint256 part;
                (part, unit) = Split.amountOf(byContribution, contributed, shares.contributionSum, memberId, contribution);
                total[0] += part;
                extra[0] += unit;
                reward += part;
            }
            if (reward == 0) continue;
            Standing memory standing = standingOf(run, memberId);
            standing.reward = uint128(reward);
            _standings[run][memberId] = StandingSlotLibrary.pack(standing);
            memberIds[paid] = memberId;
            rewards[paid++] = uint128(reward);
        }
        if (total[0] != byContribution) {
            revert ShapleyRewardsBadCutOff(byContribution + extra[0] - total[0], extra[0]);
        }
        if (total[1] != byParticipation) {
            revert ShapleyRewardsBadCutOff(byParticipation + extra[1] - total[1], extra[1]);
        }
        assembly ("memory-safe") {
            mstore(memberIds, paid)
            mstore(rewards, paid)
        }
        emit Settled(run, pool, 0, memberIds, rewards);
    }

    /// Takes tokens and insists that exactly so many arrive.
    function _pull(address token, address from, uint256 amount) private {
        if (amount == 0) return;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert ShapleyRewardsTransferMismatch(token, amount, received);
    }

    function _push(address token, address to, uint256 amount) private {
        if (amount != 0) IERC20(token).safeTransfer(to, amount);
    }
}
