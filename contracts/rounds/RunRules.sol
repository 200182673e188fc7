// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";
import {ITrainingLedger} from "../interfaces/ITrainingLedger.sol";
import {CohortRisk} from "../libraries/CohortRisk.sol";
import {
    ATTESTED_SCORING,
    GETH_DEVELOPMENT_CHAIN_ID,
    HARDHAT_CHAIN_ID,
    MAX_CAPACITY,
    ONE_Q16
} from "../types/Limits.sol";
import {RunParams} from "../types/RunTypes.sol";

/// @title What the parameters of a run must satisfy
/// @dev Stateless; a contract of its own, made by TrainingLedger's constructor, because the ledger has no room for it (EIP-170). Its reverts are
/// the ledger's errors.
contract RunRules {
    /// Losses stay hidden in L only among at least three participants.
    uint256 private constant MIN_ACCEPTED = 3;

    /// Highest P(cohort < minAccepted), times 10^18.
    uint256 private constant MAX_RISK_E18 = 1e15;

    /// Bounds each block count so that three of them fit the 32-bit ends of a round.
    uint256 private constant MAX_BLOCKS = 2 ** 30 - 1;

    /// So many scores of 32 bits each fit a contribution of 56 bits.
    uint256 private constant MAX_OPENINGS = 2 ** 24 - 1;

    bytes30 private constant WEIGHTED_MEAN = bytes30(keccak256("weighted-mean"));
    bytes30 private constant COORDINATE_MEDIAN = bytes30(keccak256("coordinate-median"));
    bytes30 private constant TRIMMED_MEAN = bytes30(keccak256("trimmed-mean"));
    bytes30 private constant GEOMETRIC_MEDIAN = bytes30(keccak256("geometric-median"));
    bytes30 private constant KRUM = bytes30(keccak256("krum"));
    bytes30 private constant MULTI_KRUM = bytes30(keccak256("multi-krum"));
    bytes30 private constant BULYAN = bytes30(keccak256("bulyan"));
    bytes30 private constant BYZFED = bytes30(keccak256("byzfed"));
    bytes30 private constant CENTRED_CLIPPING = bytes30(keccak256("centred-clipping"));
    bytes30 private constant UNIFORM_MEAN = bytes30(keccak256("uniform-mean"));
    bytes30 private constant MEAN_OF_SENDERS = bytes30(keccak256("mean-of-senders"));
    bytes30 private constant FLTRUST = bytes30(keccak256("fltrust"));
    bytes30 private constant FEDATT = bytes30(keccak256("fedatt"));
    bytes30 private constant FEDEBA = bytes30(keccak256("fedeba"));
    bytes30 private constant FAIR_GRADIENT = bytes30(keccak256("fair-gradient"));
    bytes30 private constant Q_FEDAVG = bytes30(keccak256("q-fedavg"));

    /// @notice Reverts with the ledger's error unless every parameter is in its range.
    /// @param active members active now.
    function check(RunParams calldata params, uint256 active) external view {
        if (params.scoring > ATTESTED_SCORING) revert ITrainingLedger.TrainingLedgerUnsupportedScoring(params.scoring);
        _within("capacity", params.capacity, 1, MAX_CAPACITY);
        _within("minAccepted", params.minAccepted, leastAccepted(params.ruleId), params.capacity);
        _within("rounds", params.rounds, 1, MAX_OPENINGS - 1);
        // Room for the closing round.
        _within("maxOpenings", params.maxOpenings, uint256(params.rounds) + 1, MAX_OPENINGS);
        _within("cohort", params.cohort, 1, type(uint32).max);
        _within("commitBlocks", params.commitBlocks, 1, MAX_BLOCKS);
        _within("judgeBlocks", params.judgeBlocks, 2, MAX_BLOCKS);
        // What has not been served by then is refused, and the verdict must still come in time.
        _within("fetchBlocks", params.fetchBlocks, 1, params.judgeBlocks - 1);
        _within("attestBlocks", params.attestBlocks, 1, MAX_BLOCKS);
        _within("viewBlocks", params.viewBlocks, 1, MAX_BLOCKS);
        _within("challengeBlocks", params.challengeBlocks, 1, MAX_BLOCKS);
        // At α = 1 a reputation of 0 would stay 0, and nothing kept could be weighed by it.
        _within("alphaQ16", params.alphaQ16, 0, ONE_Q16 - 1);
        _within("omegaQ16", params.omegaQ16, 0, ONE_Q16);
        _checkCohort(active, params.cohort, params.minAccepted);
        _checkVerifier(params.verifier, params.capacity);
    }

    /// @notice Updates a run must accept at least: what its rule needs with the run's parameters, and never fewer than three. Reverts for a
    /// rule that is not known.
    /// @param ruleId keccak256 of the rule's name in its first 30 bytes, then the least number of updates as uint16. Members and validators hold
    /// that number against the recipe, and take no part in a run that states another.
    function leastAccepted(bytes32 ruleId) public pure returns (uint256) {
        if (!_isKnown(bytes30(ruleId))) revert ITrainingLedger.TrainingLedgerUnknownRule(ruleId);
        uint256 least = uint16(uint256(ruleId));
        return least > MIN_ACCEPTED ? least : MIN_ACCEPTED;
    }

    function _isKnown(bytes30 name) private pure returns (bool) {
        return name == WEIGHTED_MEAN || name == COORDINATE_MEDIAN || name == TRIMMED_MEAN || name == GEOMETRIC_MEDIAN
            || name == KRUM || name == MULTI_KRUM || name == BULYAN || name == BYZFED || name == CENTRED_CLIPPING
            || name == UNIFORM_MEAN || name == FLTRUST || name == FEDATT || name == FEDEBA || name == FAIR_GRADIENT
            || name == Q_FEDAVG || name == MEAN_OF_SENDERS;
    }

    function _checkCohort(uint256 active, uint256 cohort, uint256 minAccepted) private pure {
        if (active < minAccepted) revert ITrainingLedger.TrainingLedgerTooFewMembers(active, minAccepted);
        if (cohort >= active) return;
        uint256 riskE18 = CohortRisk.tailE18(active, cohort, minAccepted);
        if (riskE18 > MAX_RISK_E18) {
            revert ITrainingLedger.TrainingLedgerCohortTooRisky(active, cohort, minAccepted, riskE18);
        }
    }

    function _checkVerifier(address verifier, uint256 capacity) private view {
        if (verifier.code.length == 0) revert ITrainingLedger.TrainingLedgerNoVerifier(verifier);
        uint256 room = IProofVerifier(verifier).capacity();
        if (room < capacity) revert ITrainingLedger.TrainingLedgerVerifierTooSmall(verifier, room, capacity);
        bool development = block.chainid == HARDHAT_CHAIN_ID || block.chainid == GETH_DEVELOPMENT_CHAIN_ID;
        if (!development && IProofVerifier(verifier).developmentKey()) {
            revert ITrainingLedger.TrainingLedgerDevelopmentKey(verifier, block.chainid);
        }
    }

    function _within(string memory name, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ITrainingLedger.TrainingLedgerBadParameter(name, value, min, max);
    }
}
