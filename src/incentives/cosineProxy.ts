// SPDX-License-Identifier: Apache-2.0
import type { GramMatrix } from "../protocol/wideKernels.ts";

/**
 * What stands for contributions where there is no held-out data: φ_i ∝ cos(Δ_i, Δ̄)·min(1, ‖Δ_i‖/median‖Δ‖), Δ̄ = Σ λ_kΔ_k, from inner products alone.
 *
 * It rewards agreement with the majority, so members that collude for one direction score themselves high: for the laboratory, and never where
 * Byzantine members are reckoned with.
 *
 * @param weights one column of λ.
 * @returns in [−1, 1], up to rounding; 0 for updates of zeros, and all 0 where the movement or the median norm is.
 */
export function cosineProxy(gram: GramMatrix, weights: Uint32Array): Float64Array {
  const along = gram.map((row) => row.reduce((sum, product, k) => sum + BigInt(weights[k] as number) * product, 0n));
  const movement = Math.sqrt(
    Number(along.reduce((sum, product, i) => sum + BigInt(weights[i] as number) * product, 0n)),
  );
  const lengths = Float64Array.from(gram, (row, i) => Math.sqrt(Number(row[i] as bigint)));
  const ordered = lengths.toSorted((a, b) => a - b);
  const middle = ((ordered[(ordered.length - 1) >> 1] as number) + (ordered[ordered.length >> 1] as number)) / 2;
  return lengths.map((length, i) => {
    if (length === 0 || movement === 0 || middle === 0) return 0;
    const cosine = Number(along[i] as bigint) / (length * movement);
    return length < middle ? (cosine * length) / middle : cosine;
  });
}
