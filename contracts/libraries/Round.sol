// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Failure, Phase, RoundRecord} from "../types/RoundTypes.sol";
import {Bits} from "./Bits.sol";
import {Quorum} from "./Quorum.sol";
import {VerdictCounters} from "./VerdictCounters.sol";

/// @title The state of a round and what follows from it
/// @notice State is facts only: deadlines fixed at opening, ends, who has acted. The phase is derived (docs/protocol.md, "Round states").
library Round {
    uint8 internal constant CLOSING = 1;
    /// Every member of the roster is invited, so that a commit need not look it up.
    uint8 internal constant ALL_INVITED = 2;
    /// Validators seal a commitment to scores of their own with the result.
    uint8 internal constant SCORED = 4;

    /// One slot, read by every call of the round and written by commits and attestations. Ends are blocks after `openedBlock`; they start as the
    /// deadlines and move forward when everyone entitled has acted.
    struct State {
        uint40 openedBlock;
        uint40 rosterBefore;
        uint32 commitEnd;
        uint32 judgeEnd;
        uint32 attestEnd;
        uint8 validators;
        uint8 commits;
        /// Commits that end the phase: min(invited, capacity).
        uint8 places;
        uint16 validatorSetVersion;
        uint8 flags;
        /// By validator index.
        uint32 attested;
    }

    /// One slot, written by verdicts. Filled at opening, so that no verdict pays for a new slot.
    struct Tally {
        /// Vertical counters of yes verdicts.
        uint192 planes;
        /// By validator index.
        uint32 voted;
        uint8 minAccepted;
        uint16 activeMembers;
    }

    /// One slot: what phases and finalisation need of the parameters.
    struct Terms {
        address verifier;
        uint32 viewBlocks;
        /// commitBlocks + judgeBlocks + attestBlocks.
        uint32 phaseBlocks;
        /// Updates are scored by each validator on its own data.
        bool attestedScores;
    }

    struct Data {
        State state;
        Tally tally;
        /// R_t, stored when the next round opens (for round 0: h^0).
        bytes32 beacon;
        /// `parentRound` is written at opening, the rest at finalisation.
        RoundRecord record;
        uint256[4] invited;
        mapping(uint32 memberId => bytes32) commits;
    }

    /// @notice Bitmap of the updates with at least f+1 yes verdicts so far.
    function accepted(Tally memory tally, State memory state) internal pure returns (uint32) {
        return VerdictCounters.atLeast(tally.planes, Quorum.faults(state.validators) + 1);
    }

    function isClosing(State memory state) internal pure returns (bool) {
        return state.flags & CLOSING != 0;
    }

    /// @notice Whether everyone entitled has acted, as a bitmap of n validators.
    function complete(uint32 acted, uint8 validators) internal pure returns (bool) {
        return Bits.count(acted) == validators;
    }

    /// @notice Last block of a phase that ends `end` blocks after opening.
    function blockOf(State memory state, uint256 end) internal pure returns (uint256) {
        return state.openedBlock + end;
    }

    /// @notice Whether committing is open in this block.
    function isCommitting(State storage state) internal view returns (bool) {
        uint256 opened = state.openedBlock;
        return block.number > opened && block.number <= opened + state.commitEnd;
    }

    /// @notice Whether judging is open in this block.
    function isJudging(State memory state) internal view returns (bool) {
        return block.number > blockOf(state, state.commitEnd) && block.number <= blockOf(state, state.judgeEnd);
    }

    /// @notice Last block in which the round can be finalised: deadlines, not actual ends, and a view for each validator.
    function finaliseDeadline(State memory state, Terms storage terms) internal view returns (uint256) {
        return uint256(state.openedBlock) + terms.phaseBlocks + uint256(state.validators) * terms.viewBlocks;
    }

    /// @notice Phase for a transaction in this block, and why the round failed if it did.
    function phase(Data storage round, Terms storage terms) internal view returns (Phase, Failure) {
        State memory state = round.state;
        if (state.openedBlock == 0) return (Phase.None, Failure.None);
        if (block.number <= blockOf(state, state.commitEnd)) return (Phase.Committing, Failure.None);
        if (block.number <= blockOf(state, state.judgeEnd)) return (Phase.Judging, Failure.None);
        if (round.record.finalisedBlock != 0) return (Phase.Finalised, Failure.None);

        Tally memory tally = round.tally;
        uint256 quorum = Quorum.quorum(state.validators);
        if (Bits.count(tally.voted) < quorum) return (Phase.Failed, Failure.NoVerdicts);
        if (Bits.count(accepted(tally, state)) < tally.minAccepted) return (Phase.Failed, Failure.TooFewAccepted);
        if (block.number <= blockOf(state, state.attestEnd)) return (Phase.Attesting, Failure.None);
        if (Bits.count(state.attested) < quorum) return (Phase.Failed, Failure.NoQuorum);
        if (block.number <= finaliseDeadline(state, terms)) return (Phase.Finalising, Failure.None);
        return (Phase.Failed, Failure.NotFinalised);
    }
}
