// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Fault bound and quorum of n validators
library Quorum {
    /// @notice f = ⌊(n − 1) / 3⌋: faulty validators tolerated among n ≥ 1.
    function faults(uint256 n) internal pure returns (uint256) {
        return (n - 1) / 3;
    }

    /// @notice q = ⌊2n / 3⌋ + 1 = n − f. Not 2f + 1, which is smaller when n is not 3f + 1.
    function quorum(uint256 n) internal pure returns (uint256) {
        return (2 * n) / 3 + 1;
    }
}
