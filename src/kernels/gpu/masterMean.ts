// SPDX-License-Identifier: Apache-2.0

/** Steps of the master grid in one of the update grid. */
const MASTER_STEPS = 65_536;

/**
 * 2^16 · sum / count rounded to an integer, half away from zero, by quotient and remainder.
 *
 * The truncated float64 quotient is exact: below an integer m ≤ 2^51 / count the true quotient stays at least 1/count away from it, more than
 * the 2^-53 · m that a division is off.
 *
 * @param sum an integer, |sum| < 2^35.
 * @param count 1 … 2 048.
 */
export function masterMean(sum: number, count: number): number {
  const scaled = sum * MASTER_STEPS;
  const quotient = Math.trunc(scaled / count);
  const remainder = scaled - quotient * count;
  const step = 2 * remainder >= count ? 1 : 2 * remainder <= -count ? -1 : 0;
  // Adding 0 turns −0 into 0.
  return quotient + step + 0;
}
