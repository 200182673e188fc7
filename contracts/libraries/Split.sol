// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CutOff} from "../types/RewardTypes.sol";

/// @title One part of a pool split by shares, largest remainder, checked in one pass
/// @notice ⌊total·share/Σ⌋ each; the units left over go one each to the largest remainders, ties to the lowest id. Remainder and id order all
/// holders totally, so a cut-off that gives exactly the missing units gives them to exactly the right ones: sorting happens off chain.
library Split {
    /// @param total units of the part.
    /// @param sum Σ of all shares, not 0.
    /// @param cutOff the last (remainder, memberId) that gets a unit more.
    /// @return amount what the holder gets.
    /// @return extra 1 if that includes a unit more than the floor.
    function amountOf(uint256 total, uint256 share, uint256 sum, uint32 memberId, CutOff calldata cutOff)
        internal
        pure
        returns (uint256 amount, uint256 extra)
    {
        // total < 2^128 and share < 2^63: no overflow.
        uint256 product = total * share;
        amount = product / sum;
        uint256 remainder = product % sum;
        if (remainder > cutOff.remainder || (remainder == cutOff.remainder && memberId <= cutOff.memberId)) {
            ++amount;
            extra = 1;
        }
    }
}
