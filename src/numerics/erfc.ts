// SPDX-License-Identifier: Apache-2.0
import { exp } from "../protocol/math.ts";

/**
 * The complementary error function and what follows from it, with relative accuracy in the tail.
 *
 * Built on + − × ÷ √ and `protocol/math.ts` alone, so every machine gets the same bits.
 */

const SQRT_PI = 1.772453850905516;
const SQRT_TWO = Math.SQRT2;
/** Beyond, e^(−x²) is below the smallest subnormal number. */
const UNDERFLOW = 27.3;

/**
 * erfc(x) = 2/√π ∫_x^∞ e^(−t²) dt, relative error below 1e-13 down to the smallest normal number.
 *
 * |x| < 1: 1 − erf by Kummer's series, whose terms are all positive; from 1: the continued fraction of Laplace.
 *
 * @returns NaN for NaN, 2 for −Infinity, 0 for +Infinity.
 */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return 2 - erfc(-x);
  if (x < 1) return 1 - erfSeries(x);
  if (x > UNDERFLOW) return 0;
  return expOfMinusSquare(x) / (SQRT_PI * continuedFraction(x));
}

/** Φ(x) = ½ erfc(−x/√2), the standard normal distribution function; relative error about x²·1e-16 in the lower tail, down to x = −37. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / SQRT_TWO);
}

/** φ(x) = e^(−x²/2)/√(2π), the standard normal density. */
export function normalDensity(x: number): number {
  return expOfMinusSquare(x / SQRT_TWO) / (SQRT_TWO * SQRT_PI);
}

/** erf(x) = 2x/√π · e^(−x²) Σ_n (2x²)^n / (1·3···(2n+1)), for 0 ≤ x < 1. */
function erfSeries(x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * x) / SQRT_PI) * expOfMinusSquare(x) * sum;
}

/** x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …))), x ≥ 1, by Lentz's method: all terms are positive, nothing cancels. */
function continuedFraction(x: number): number {
  let value = x;
  let c = x;
  let d = 0;
  for (let n = 1; n <= 2000; n++) {
    d = 1 / (x + 0.5 * n * d);
    c = x + (0.5 * n) / c;
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-16) break;
  }
  return value;
}

/** e^(−x²) = e^(−h²)·e^(−(x−h)(x+h)), h = x rounded to float32: h² is exact, so that rounding x² does not cost the tail its accuracy. */
function expOfMinusSquare(x: number): number {
  if (Math.abs(x) > UNDERFLOW) return 0;
  const high = Math.fround(x);
  return exp(-high * high) * exp(-(x - high) * (x + high));
}
