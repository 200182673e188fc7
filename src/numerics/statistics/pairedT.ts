// SPDX-License-Identifier: Apache-2.0
import { betaInverse, betaRegularised } from "../incompleteBeta.ts";
import { mean, sampleVariance } from "./moments.ts";
import { beyondRounding, largestOf, roundingOf } from "./rounding.ts";

export interface TTest {
  /** Pairs. */
  readonly n: number;
  /** x̄ − ȳ. */
  readonly difference: number;
  readonly t: number;
  readonly degreesOfFreedom: number;
  /** Two-sided. */
  readonly p: number;
}

/**
 * Student's paired t-test of x against y: t = d̄/(s_d/√n), df = n − 1.
 *
 * Pairs must belong together: the same seed and data set, or the same client. Where all differences are equal, but for rounding, p is 1
 * if they are 0 and 0 otherwise.
 *
 * @throws RangeError unless there are at least two pairs.
 */
export function pairedT(x: ArrayLike<number>, y: ArrayLike<number>): TTest {
  const { n, difference, variance } = pairedMoments(x, y);
  const degreesOfFreedom = n - 1;
  const t =
    variance === 0 ? (difference === 0 ? 0 : Math.sign(difference) * Infinity) : difference / Math.sqrt(variance / n);
  return { n, difference, t, degreesOfFreedom, p: studentTwoSided(t, degreesOfFreedom) };
}

/** Number, mean and sample variance of x − y, pair by pair; either is exactly 0 where it is of the size of the rounding of x and y. */
export function pairedMoments(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
): { readonly n: number; readonly difference: number; readonly variance: number } {
  if (x.length !== y.length || x.length < 2)
    throw new RangeError(`A paired comparison needs two or more pairs; got ${x.length} and ${y.length} values.`);
  const n = x.length;
  const differences = Float64Array.from({ length: n }, (_, i) => (x[i] as number) - (y[i] as number));
  const largest = Math.max(largestOf(x), largestOf(y));
  return {
    n,
    difference: beyondRounding(mean(differences), roundingOf(n, largest)),
    variance: sampleVariance(differences, largest),
  };
}

/** P(|T| ≥ |t|) with `degreesOfFreedom`. */
function studentTwoSided(t: number, degreesOfFreedom: number): number {
  return betaRegularised(degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5);
}

/** The p-quantile of Student's t, for confidence intervals: p = .975 for 95 %. @throws RangeError unless ½ ≤ p < 1. */
export function studentQuantile(p: number, degreesOfFreedom: number): number {
  if (!(p >= 0.5 && p < 1)) throw new RangeError(`Ask for an upper quantile, ½ ≤ p < 1; got ${p}.`);
  const x = betaInverse(2 * (1 - p), degreesOfFreedom / 2, 0.5);
  return Math.sqrt((degreesOfFreedom * (1 - x)) / x);
}
