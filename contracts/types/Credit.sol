// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// What a finalised round books to one member: memberId (bits 64–95), kept (32), score as int32 (0–31).
type Credit is uint256;

using CreditLibrary for Credit global;

/// @title Packing of a credit
library CreditLibrary {
    function make(uint256 memberId, bool kept, int32 score) internal pure returns (Credit) {
        return Credit.wrap((memberId << 64) | (kept ? 1 << 32 : 0) | uint32(score));
    }

    function memberId(Credit credit) internal pure returns (uint32) {
        return uint32(Credit.unwrap(credit) >> 64);
    }

    function kept(Credit credit) internal pure returns (bool) {
        return (Credit.unwrap(credit) >> 32) & 1 == 1;
    }

    function score(Credit credit) internal pure returns (int32) {
        return int32(uint32(Credit.unwrap(credit)));
    }
}
