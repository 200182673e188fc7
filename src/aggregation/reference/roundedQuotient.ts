// SPDX-License-Identifier: Apache-2.0

/**
 * a/n rounded to an integer, half away from zero, by quotient and remainder: exact, where a float64 division followed by rounding may land on
 * the wrong side of a half.
 *
 * @param a an integer, |a| < 2^52.
 * @param n an integer, 1 ≤ n < 2^52.
 */
export function roundedQuotient(a: number, n: number): number {
  const magnitude = Math.abs(a);
  const remainder = magnitude % n;
  const floor = (magnitude - remainder) / n;
  const rounded = 2 * remainder >= n ? floor + 1 : floor;
  return a < 0 ? 0 - rounded : rounded;
}
