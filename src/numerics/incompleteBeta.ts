// SPDX-License-Identifier: Apache-2.0
import { exp, log } from "../protocol/math.ts";
import { logGamma } from "./logGamma.ts";

/**
 * I_x(a, b), the regularised incomplete beta function: the distribution function of Beta(a, b) at x.
 *
 * Lentz's continued fraction, on the side of the mean where it converges quickly (I_x(a,b) = 1 − I_{1−x}(b,a)).
 *
 * @throws RangeError unless 0 ≤ x ≤ 1 and a, b are finite and positive.
 */
export function betaRegularised(x: number, a: number, b: number): number {
  requireShape(a, b);
  if (!(x >= 0 && x <= 1)) throw new RangeError(`The incomplete beta function is for 0 ≤ x ≤ 1; got ${x}.`);
  if (x === 0 || x === 1) return x;
  return x <= (a + 1) / (a + b + 2) ? lowerSide(x, 1 - x, a, b) : 1 - lowerSide(1 - x, x, b, a);
}

/**
 * The x with I_x(a, b) = p: Newton's method inside a bracket that bisection keeps shrinking.
 *
 * @throws RangeError unless 0 ≤ p ≤ 1 and a, b are finite and positive.
 */
export function betaInverse(p: number, a: number, b: number): number {
  requireShape(a, b);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`A probability lies between 0 and 1; got ${p}.`);
  if (p === 0 || p === 1) return p;
  let low = 0;
  let high = 1;
  let x = a / (a + b);
  for (let i = 0; i < 200; i++) {
    const error = betaRegularised(x, a, b) - p;
    if (error > 0) high = x;
    else low = x;
    const newton = x - error / exp(logDensity(x, 1 - x, a, b));
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= 1e-16 * x || high - low <= 1e-16 * high) return next;
    x = next;
  }
  return x;
}

/** ln of x^a (1−x)^b / (a B(a,b)), then the continued fraction of 8.17.22 in the NIST Handbook. */
function lowerSide(x: number, complement: number, a: number, b: number): number {
  const front = exp(logDensity(x, complement, a, b) + log(x) + log(complement)) / a;
  const tiny = 1e-300;
  const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * value;
}

/** ln of the density of Beta(a, b). */
function logDensity(x: number, complement: number, a: number, b: number): number {
  return (a - 1) * log(x) + (b - 1) * log(complement) + logGamma(a + b) - logGamma(a) - logGamma(b);
}

function requireShape(a: number, b: number): void {
  if (!(a > 0 && a < Infinity && b > 0 && b < Infinity))
    throw new RangeError(`The shapes of a beta distribution are finite and positive; got ${a} and ${b}.`);
}
