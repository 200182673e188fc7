// SPDX-License-Identifier: Apache-2.0

/**
 * a/n rounded to an integer, half away from zero, by quotient and remainder: exact, where a float64 division followed by rounding may land on
 * the wrong side of a half.
 *
 * The floor of the float64 quotient is that of a/n: a quotient below an integer k is so by at least 1/n, and would be rounded up to k only
 * from nearer than k·2^-53, which needs n·k ≥ 2^53.
 *
 * @param a an integer, |a| < 2^52.
 * @param n an integer, 1 ≤ n < 2^52.
 */
export function roundedQuotient(a: number, n: number): number {
  const magnitude = Math.abs(a);
  const floor = Math.floor(magnitude / n);
  const remainder = magnitude - floor * n;
  const rounded = 2 * remainder >= n ? floor + 1 : floor;
  return a < 0 ? 0 - rounded : rounded;
}
