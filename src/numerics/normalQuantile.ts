// SPDX-License-Identifier: Apache-2.0
import { log } from "../protocol/math.ts";
import { normalCdf, normalDensity } from "./erfc.ts";

const A = [
  -39.69683028665376, 220.9460984245205, -275.9285104469687, 1.38357751867269e2, -30.66479806614716, 2.506628277459239,
];
const B = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
const C = [
  -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
];
const D = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661415676, 1];
const CENTRE = 0.02425;

/**
 * Φ⁻¹(p), the standard normal quantile: Acklam's rational approximation (relative error 1.2e-9) and one Halley step.
 *
 * For p near 1 the argument itself has lost what the tail needs; ask for −Φ⁻¹(1 − p) there.
 *
 * @returns −Infinity for 0, +Infinity for 1.
 * @throws RangeError unless 0 ≤ p ≤ 1.
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`A probability lies between 0 and 1; got ${p}.`);
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p === 0) return -Infinity;
  const x = p < CENTRE ? lowerTail(p) : centre(p - 0.5);
  const step = (normalCdf(x) - p) / normalDensity(x);
  return x - step / (1 + 0.5 * x * step);
}

function lowerTail(p: number): number {
  const q = Math.sqrt(-2 * log(p));
  return polynomial(C, q) / polynomial(D, q);
}

function centre(q: number): number {
  const r = q * q;
  return (q * polynomial(A, r)) / polynomial(B, r);
}

/** Horner's scheme, highest power first. */
function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}
