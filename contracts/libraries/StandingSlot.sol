// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Credit} from "../types/Credit.sol";
import {ONE_Q16} from "../types/Limits.sol";
import {Standing} from "../types/RewardTypes.sol";
import {Reputation} from "./Reputation.sol";

/// A member's account within a run, packed: reputation (bits 0–23), contribution (24–79), participation (80–111), reward (112–239),
/// known (240), claimed (248).
type StandingSlot is uint256;

using StandingSlotLibrary for StandingSlot global;

/// @title Packing of a standing
/// @dev The compiler writes a struct to storage field by field; finalisation writes one of these for every committed update.
library StandingSlotLibrary {
    uint256 private constant CONTRIBUTION = 24;
    uint256 private constant PARTICIPATION = 80;
    uint256 private constant REWARD = 112;
    uint256 private constant KNOWN = 240;
    uint256 private constant CLAIMED = 248;
    /// Contribution and participation; reward and flags.
    uint256 private constant BALANCES = (1 << REWARD) - (1 << CONTRIBUTION);
    uint256 private constant FROM_REWARD = type(uint256).max << REWARD;

    function pack(Standing memory standing) internal pure returns (StandingSlot) {
        return StandingSlot.wrap(
            uint256(standing.reputation) | (uint256(uint56(standing.contribution)) << CONTRIBUTION)
                | (uint256(standing.participation) << PARTICIPATION) | (uint256(standing.reward) << REWARD)
                | (standing.known ? 1 << KNOWN : 0) | (standing.claimed ? 1 << CLAIMED : 0)
        );
    }

    /// @notice The standing after a finalised round. A contribution cannot leave 56 bits: a run has fewer than 2^24 rounds.
    function book(StandingSlot slot, Credit credit, uint256 alphaQ16) internal pure returns (StandingSlot) {
        uint256 word = StandingSlot.unwrap(slot);
        bool kept = credit.kept();
        uint256 reputation = word >> KNOWN == 0 ? ONE_Q16 : uint24(word);
        uint256 booked = Reputation.next(reputation, alphaQ16, kept);
        if (kept) {
            unchecked {
                int32 score = credit.score();
                int56 contribution = int56(uint56(word >> CONTRIBUTION)) + score;
                uint256 participation = uint32(word >> PARTICIPATION) + (score > 0 ? 1 : 0);
                booked |= (uint256(uint56(contribution)) << CONTRIBUTION) | (participation << PARTICIPATION);
            }
        } else {
            booked |= word & BALANCES;
        }
        return StandingSlot.wrap((word & FROM_REWARD) | booked | (1 << KNOWN));
    }

    /// @notice The standing; that of a member without a finalised update has reputation 1.
    function unpack(StandingSlot slot) internal pure returns (Standing memory standing) {
        uint256 word = StandingSlot.unwrap(slot);
        standing.known = uint8(word >> KNOWN) != 0;
        standing.reputation = standing.known ? uint24(word) : uint24(ONE_Q16);
        standing.contribution = int56(uint56(word >> CONTRIBUTION));
        standing.participation = uint32(word >> PARTICIPATION);
        standing.reward = uint128(word >> REWARD);
        standing.claimed = uint8(word >> CLAIMED) != 0;
    }
}
