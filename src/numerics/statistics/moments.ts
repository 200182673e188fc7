// SPDX-License-Identifier: Apache-2.0
import { largestOf, roundingOf, squaresBeyondRounding } from "./rounding.ts";

/** What a table prints of repeated measurements; n always goes with it. */
export interface Summary {
  readonly n: number;
  readonly mean: number;
  /** Of the sample, with n − 1; NaN for one value. */
  readonly standardDeviation: number;
  /** Standard deviation over √n. */
  readonly standardError: number;
}

/** The arithmetic mean, in index order. @throws RangeError for no values. */
export function mean(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError("No values have no mean.");
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}

/**
 * Σ(x − x̄)²; exactly 0 where the values differ by no more than rounding.
 *
 * @param largest of what the values were computed from, where that is larger than they are: differences have the rounding of their terms.
 */
export function sumOfSquaredDeviations(values: ArrayLike<number>, largest = largestOf(values)): number {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - centre) * ((values[i] as number) - centre);
  return squaresBeyondRounding(sum, values.length, roundingOf(values.length, largest));
}

/** The sample variance, with n − 1; NaN for one value. @param largest as {@link sumOfSquaredDeviations} takes it. */
export function sampleVariance(values: ArrayLike<number>, largest?: number): number {
  return sumOfSquaredDeviations(values, largest) / (values.length - 1);
}

/** Mean, standard deviation and standard error of a sample. */
export function summarise(values: ArrayLike<number>): Summary {
  const standardDeviation = Math.sqrt(sampleVariance(values));
  const n = values.length;
  return { n, mean: mean(values), standardDeviation, standardError: standardDeviation / Math.sqrt(n) };
}
