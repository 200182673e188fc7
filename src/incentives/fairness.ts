// SPDX-License-Identifier: Apache-2.0

/**
 * R_fair = (1/N) Σ (c_i − c̄)², the spread of what members contribute or get. Not differentiable in the model where c are Shapley values: there it acts
 * through weights (the rules spfl and fair-gradient).
 *
 * Source: the SPFL paper, eq. 14, reconstructed.
 */
export function fairnessTerm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const distance = (values[i] as number) - mean;
    squares += distance * distance;
  }
  return values.length === 0 ? 0 : squares / values.length;
}

/** φ_i / Σ|φ_j|, contributions as shares; all 0 where nobody contributed. */
export function contributionShares(scores: ArrayLike<number>): Float64Array {
  let total = 0;
  for (let i = 0; i < scores.length; i++) total += Math.abs(scores[i] as number);
  return Float64Array.from(scores, (one) => (total === 0 ? 0 : one / total));
}
