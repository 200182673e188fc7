// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TAG_COHORT} from "../types/Tags.sol";
import {Bits} from "./Bits.sol";

/// @title Who is invited to a round
/// @notice Bitmaps hold member id m at bit (m − 1) mod 256 of word (m − 1) / 256.
library Cohort {
    /// @notice Of the active members, those that the beacon invites: keccak(beacon, m) below cohort/active of the range.
    /// @dev One pass over at most 1024 bits. With cohort ≥ active everyone is invited.
    function draw(uint256[4] memory activeMembers, uint256 active, uint256 cohort, bytes32 beacon)
        internal
        pure
        returns (uint256[4] memory invited, uint256 count)
    {
        if (cohort >= active) return (activeMembers, active);
        uint256 threshold = (type(uint256).max / active) * cohort;
        for (uint256 word = 0; word < 4; ++word) {
            uint256 rest = activeMembers[word];
            for (uint256 bit = 0; rest >> bit != 0; ++bit) {
                if (!Bits.has(rest, bit)) continue;
                if (uint256(keccak256(abi.encode(TAG_COHORT, beacon, word * 256 + bit + 1))) >= threshold) continue;
                invited[word] |= 1 << bit;
                ++count;
            }
        }
    }
}
