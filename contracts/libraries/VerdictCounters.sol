// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title 32 counters of yes verdicts in one word, without a loop over updates
/// @notice Vertical counters: bit i of plane k is bit k of the count of commit i, and plane k is bits 32k … 32k+31 of the word. Six planes count
/// to 63, enough for 32 validators. Adding a bitmap is a ripple of carries over all lanes at once.
library VerdictCounters {
    uint256 private constant PLANES = 6;
    uint256 private constant LANES = 32;
    uint256 private constant MASK = type(uint32).max;

    /// @notice Adds 1 to every lane whose bit is set.
    function add(uint192 planes, uint32 bitmap) internal pure returns (uint192) {
        uint256 word = planes;
        uint256 carry = bitmap;
        for (uint256 shift = 0; carry != 0; shift += LANES) {
            uint256 plane = (word >> shift) & MASK;
            word ^= carry << shift;
            carry &= plane;
        }
        // No lane is added to more than 32 times, so no carry leaves the sixth plane.
        return uint192(word);
    }

    /// @notice Lanes with a count of at least `threshold`.
    /// @dev Compares all lanes from the highest bit down: `above` are decided greater, `equal` undecided so far.
    function atLeast(uint192 planes, uint256 threshold) internal pure returns (uint32) {
        uint256 above = 0;
        uint256 equal = MASK;
        for (uint256 k = PLANES; k > 0; --k) {
            uint256 plane = (uint256(planes) >> ((k - 1) * LANES)) & MASK;
            if ((threshold >> (k - 1)) & 1 == 1) {
                equal &= plane;
            } else {
                above |= equal & plane;
                equal &= ~plane;
            }
        }
        return uint32(above | equal);
    }
}
