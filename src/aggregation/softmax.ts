// SPDX-License-Identifier: Apache-2.0
import { exp } from "../protocol/math.ts";

/**
 * q_i e^{s_i/τ} / Σ_j q_j e^{s_j/τ}, after subtracting the largest s, so that nothing overflows.
 *
 * @param scores finite.
 * @param temperature τ ≥ 0; 0 is the limit: all weight on the largest scores, in proportion to their prior.
 * @param prior q ≥ 0, not all 0; left out: equal.
 * @returns weights that sum to 1 up to rounding. Far below the largest score they underflow to 0.
 */
export function softmax(
  scores: ArrayLike<number>,
  temperature: number,
  prior: ArrayLike<number> = new Float64Array(scores.length).fill(1),
): Float64Array {
  let largest = -Infinity;
  for (let i = 0; i < scores.length; i++)
    if ((prior[i] as number) > 0 && (scores[i] as number) > largest) largest = scores[i] as number;
  return normalised(
    Float64Array.from({ length: scores.length }, (_, i) => {
      const below = (scores[i] as number) - largest;
      // Without a prior there is no weight, however high the score.
      if ((prior[i] as number) === 0) return 0;
      if (temperature === 0) return below === 0 ? (prior[i] as number) : 0;
      return (prior[i] as number) * exp(below / temperature);
    }),
  );
}

/** Values ≥ 0, not all 0, divided by their sum. */
export function normalised(values: Float64Array): Float64Array {
  let sum = 0;
  for (const value of values) sum += value;
  return values.map((value) => value / sum);
}
