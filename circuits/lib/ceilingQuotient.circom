// SPDX-License-Identifier: GPL-3.0
pragma circom 2.1.6;

include "node_modules/circomlib/circuits/bitify.circom";

/**
 * Asserts quotient = ceil(dividend / divisor) and divisor >= 1, over the integers.
 *
 * NOTE: the caller must have made sure, as integers, that dividend < 2^(quotientBits + divisorBits) and divisor < 2^divisorBits.
 * The quotient's range is checked here.
 *
 * Why it holds: with these ranges quotient * divisor and dividend are integers below 2^252, so their difference `excess` does not wrap
 * around p; if it were negative it would be close to p and fail its range check. So 0 <= excess, and the second check gives
 * excess <= divisor - 1, which also rules out divisor = 0 (then divisor - 1 - excess is negative). Exactly one quotient satisfies
 * quotient * divisor - dividend in [0, divisor - 1], and it is the ceiling.
 */
template AssertCeilingQuotient(quotientBits, divisorBits) {
    assert(quotientBits + divisorBits < 252);

    signal input dividend;
    signal input divisor;
    signal input quotient;

    // Without it (dividend + excess) / divisor exists in the field for every excess, so every L would have a proof.
    _ <== Num2Bits(quotientBits)(quotient);

    signal excess <== quotient * divisor - dividend;
    // Not too small: quotient * divisor >= dividend.
    _ <== Num2Bits(divisorBits)(excess);
    // Not too large: quotient - 1 would be too small. And at least one sample.
    _ <== Num2Bits(divisorBits)(divisor - 1 - excess);
}
