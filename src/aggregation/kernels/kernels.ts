// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../../protocol/layout.ts";

/** Exact inner products of K vectors: `gram[i][j]` = ⟨x_i, x_j⟩, symmetric, units 2^-2F_max. */
export type GramMatrix = readonly (readonly bigint[])[];

/**
 * The wide kernels: everything in aggregation that touches all d coordinates of all K updates. What remains is a small program on K×K numbers.
 *
 * Every backend gives the same bits; they are exact, so there is nothing to agree on beyond these definitions. Asynchronous, because a GPU
 * or a pool of workers is. Updates are grid integers |q| < 2^24, one per coordinate of the layout, at most 2 048 of them; a backend neither
 * changes nor keeps them.
 */
export interface WideKernels {
  /**
   * Σ_k λ_k,g(j) q_k,j for every coordinate j, g(j) the group of its tensor: the increment of the master model, units 2^-(F+16).
   *
   * @param weights λ, K × G, row by row; each column sums to at most 2^16.
   */
  weightedSum(updates: readonly Int32Array[], weights: Uint32Array, layout: ModelLayout): Promise<Float64Array>;

  /** All inner products on full grid values, never shifted or rounded: a spiked coordinate costs time, not anyone's resolution. */
  gram(updates: readonly Int32Array[], layout: ModelLayout): Promise<GramMatrix>;

  /**
   * 2^16 · median_k q_k,j for every coordinate j, units 2^-(F+16); for even K the mean of the two middle values, which that grid holds
   * exactly.
   */
  coordinateMedian(updates: readonly Int32Array[], layout: ModelLayout): Promise<Float64Array>;
}
