// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Bitmaps
library Bits {
    function has(uint256 bitmap, uint256 index) internal pure returns (bool) {
        return (bitmap >> index) & 1 == 1;
    }

    /// @notice Number of set bits.
    /// @dev Sums pairs, nibbles, bytes; the multiplication adds the 32 byte counts into the top byte, where 256 would not fit.
    function count(uint256 bitmap) internal pure returns (uint256) {
        if (bitmap == type(uint256).max) return 256;
        unchecked {
            bitmap -= (bitmap >> 1) & (type(uint256).max / 3);
            bitmap = (bitmap & (type(uint256).max / 5)) + ((bitmap >> 2) & (type(uint256).max / 5));
            bitmap = (bitmap + (bitmap >> 4)) & (type(uint256).max / 17);
            return (bitmap * (type(uint256).max / 255)) >> 248;
        }
    }
}
