// SPDX-License-Identifier: Apache-2.0
import type { GramMatrix } from "../protocol/wideKernels.ts";

/**
 * Geometry of K updates from their exact inner products: float64 programs on K×K numbers, only + − × ÷ √ in a fixed order, so they give
 * the same bits everywhere. Lengths are in units 2^-F_max.
 */

/** Squared distances of all pairs, row by row. */
export type SquaredDistances = Float64Array;

/** The same before rounding. */
export type ExactDistances = readonly (readonly bigint[])[];

/** D²_ij = G_ii + G_jj − 2 G_ij, exact: nothing cancels, however close two large updates are. */
export function exactDistances(gram: GramMatrix): ExactDistances {
  const norms = gram.map((row, i) => row[i] as bigint);
  return gram.map((row, i) => row.map((product, j) => (norms[i] as bigint) + (norms[j] as bigint) - 2n * product));
}

/** D²_ij, rounded once. */
export function squaredDistances(gram: GramMatrix): SquaredDistances {
  return Float64Array.from(exactDistances(gram).flat(), Number);
}

/**
 * ‖x_i − z‖ for z = Σ_j a_j x_j with Σ a = 1: √((D²a)_i − ½ aᵀD²a). What rounding makes negative is 0.
 */
export function distancesTo(distances: SquaredDistances, a: Float64Array): Float64Array {
  const count = a.length;
  const products = new Float64Array(count);
  let quadratic = 0;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0; j < count; j++) sum += (distances[i * count + j] as number) * (a[j] as number);
    products[i] = sum;
    quadratic += (a[i] as number) * sum;
  }
  return products.map((product) => {
    const squared = product - 0.5 * quadratic;
    return squared > 0 ? Math.sqrt(squared) : 0;
  });
}

/** The middle value; for an even number the mean of the two middle ones. The input is not changed. */
export function median(values: Float64Array): number {
  const ordered = Array.from(values).sort((a, b) => a - b);
  const upper = ordered.length >> 1;
  const lower = (ordered.length - 1) >> 1;
  return ((ordered[lower] as number) + (ordered[upper] as number)) / 2;
}
