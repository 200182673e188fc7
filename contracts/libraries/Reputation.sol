// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ONE_Q16} from "../types/Limits.sol";

/// @title Reputation in Q16
library Reputation {
    /// @notice r' = (α·r + (1 − α)·(kept ? 1 : 0)), all Q16; stays in [0, 65 536] because it is a floored mean of two such values.
    function next(uint256 reputation, uint256 alphaQ16, bool kept) internal pure returns (uint256) {
        return (alphaQ16 * reputation + (ONE_Q16 - alphaQ16) * (kept ? ONE_Q16 : 0)) >> 16;
    }
}
