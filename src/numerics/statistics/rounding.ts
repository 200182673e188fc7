// SPDX-License-Identifier: Apache-2.0

/** A few operations on each value, beside the sum of n. */
const OPERATIONS = 8;

/** How far from its exact value rounding takes a mean of n values, or a deviation from it: (8 + n)·2^-52·max|x|. */
export function roundingOf(n: number, largest: number): number {
  return (OPERATIONS + n) * Number.EPSILON * largest;
}

/** The same, or 0 where rounding alone explains it: a quotient of what is left of rounding would be any number. */
export function beyondRounding(value: number, rounding: number): number {
  return Math.abs(value) <= rounding ? 0 : value;
}

/** A sum of n squares, or 0 where every summand may be the square of a rounding. */
export function squaresBeyondRounding(sum: number, n: number, rounding: number): number {
  return sum <= n * rounding * rounding ? 0 : sum;
}

/** max|x|; NaN where a value is. */
export function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return largest;
}
