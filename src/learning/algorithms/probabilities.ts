// SPDX-License-Identifier: Apache-2.0
import { logSumExp } from "../../protocol/math.ts";

/** softmax of logits, in float64. */
export function probabilities(logits: ArrayLike<number>): Float64Array {
  const normaliser = logSumExp(logits);
  return Float64Array.from(logits, (value) => Math.exp(value - normaliser));
}

/** target ← target + scale·∂p_c/∂logits = scale·p_c(δ_cj − p_j). */
export function probabilityCotangent(p: ArrayLike<number>, c: number, scale: number, target: Float32Array): void {
  const pc = p[c] as number;
  for (let j = 0; j < target.length; j++)
    target[j] = (target[j] as number) + scale * pc * ((j === c ? 1 : 0) - (p[j] as number));
}
