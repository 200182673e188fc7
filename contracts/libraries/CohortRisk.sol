// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title How likely a sampled cohort is too small
/// @notice The cohort is binomial: each of N members is invited with probability K/N. This bounds P(cohort < m) from above; every rounding
/// goes up, so a run is never opened on a probability that is in truth larger.
library CohortRisk {
    /// A positive real `mantissa · 2^-exponent` with 2^126 ≤ mantissa ≤ 2^127: tails as small as (1/1024)^1024 keep their precision.
    struct Small {
        uint256 mantissa;
        uint256 exponent;
    }

    uint256 private constant ONE_E18 = 1e18;
    uint256 private constant SUM_BITS = 128;

    /// @notice Upper bound of P(Bin(members, cohort/members) < least), times 10^18.
    /// @param members N ≥ 1, at most 1024.
    /// @param cohort K with 0 < K < N.
    /// @param least m ≥ 1, at most 32 (a loop of that length).
    function tailE18(uint256 members, uint256 cohort, uint256 least) internal pure returns (uint256) {
        if (least > members) return ONE_E18;
        uint256 others = members - cohort;

        // P(0) = (1 − K/N)^N, then P(k+1) = P(k) · (N − k) / (k + 1) · K / (N − K).
        Small memory term = _power(_ratio(others, members), members);
        uint256 sum = _fixed(term);
        for (uint256 k = 0; k + 1 < least; ++k) {
            term = _scale(term, (members - k) * cohort, (k + 1) * others);
            sum += _fixed(term);
        }
        uint256 probabilityE18 = Math.mulDiv(sum, ONE_E18, 1 << SUM_BITS, Math.Rounding.Ceil);
        return Math.min(probabilityE18, ONE_E18);
    }

    function _ratio(uint256 numerator, uint256 denominator) private pure returns (Small memory) {
        return _normalise(Math.ceilDiv(numerator << 200, denominator), 200);
    }

    /// base^n by squaring, base ≤ 1.
    function _power(Small memory base, uint256 n) private pure returns (Small memory result) {
        result = Small(1 << 127, 127);
        for (; n > 0; n >>= 1) {
            if (n & 1 == 1) result = _normalise(result.mantissa * base.mantissa, result.exponent + base.exponent);
            base = _normalise(base.mantissa * base.mantissa, base.exponent + base.exponent);
        }
    }

    function _scale(Small memory value, uint256 numerator, uint256 denominator) private pure returns (Small memory) {
        // Forty more bits before the division keep its rounding far below the mantissa's.
        return _normalise(Math.ceilDiv((value.mantissa * numerator) << 40, denominator), value.exponent + 40);
    }

    /// Shifts down to 127 bits, rounding up.
    function _normalise(uint256 mantissa, uint256 exponent) private pure returns (Small memory) {
        uint256 bits = Math.log2(mantissa) + 1;
        if (bits <= 127) return Small(mantissa, exponent);
        uint256 shift = bits - 127;
        return Small((mantissa >> shift) + 1, exponent - shift);
    }

    /// The value in units of 2^-128, rounded up.
    function _fixed(Small memory value) private pure returns (uint256) {
        if (value.exponent <= SUM_BITS) return value.mantissa << (SUM_BITS - value.exponent);
        uint256 shift = value.exponent - SUM_BITS;
        return shift > 255 ? 1 : (value.mantissa >> shift) + 1;
    }
}
