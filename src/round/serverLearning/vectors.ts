// SPDX-License-Identifier: Apache-2.0
import { AggregationError } from "../../aggregation/aggregationError.ts";
import type { FloatVector, MemberUpdate } from "./strategy.ts";

/** Arithmetic on float views, in index order with float64 accumulators. */

/** ⟨a, b⟩ over `[start, start + length)`. */
export function dot(a: FloatVector, b: FloatVector, start = 0, length = a.length - start): number {
  let sum = 0;
  for (let j = start; j < start + length; j++) sum += (a[j] as number) * (b[j] as number);
  return sum;
}

export function norm(a: FloatVector, start = 0, length = a.length - start): number {
  return Math.sqrt(dot(a, a, start, length));
}

/** The cosine of the angle between two vectors; 0 when one of them is shorter than 1e-12, which has no direction. */
export function cosine(a: FloatVector, b: FloatVector, start = 0, length = a.length - start): number {
  const lengths = [norm(a, start, length), norm(b, start, length)] as const;
  if (!(lengths[0] > 1e-12 && lengths[1] > 1e-12)) return 0;
  return Math.max(-1, Math.min(1, dot(a, b, start, length) / lengths[0] / lengths[1]));
}

/** w + Δ, rounded to float32 once, over the length of w. */
export function moved(parameters: Float32Array, delta: FloatVector): Float32Array {
  return parameters.map((value, j) => value + (delta[j] as number));
}

/** to − from. */
export function difference(to: FloatVector, from: FloatVector): Float64Array {
  return Float64Array.from(to, (value, j) => value - (from[j] as number));
}

/** Σ λ_k Δ_k. */
export function weightedSum(vectors: readonly FloatVector[], weights: ArrayLike<number>): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  for (const [k, vector] of vectors.entries()) {
    const weight = weights[k] as number;
    if (weight !== 0) for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] as number) + weight * (vector[j] as number);
  }
  return sum;
}

/** The first `size` values of a vector: the model, without the auxiliary tensors that follow it. */
export function head<V extends FloatVector>(vector: V, size: number): V {
  return vector.subarray(0, size) as V;
}

/** Proportional to what is given, with sum 1; equal shares when everything given is 0. */
export function normalised(shares: ArrayLike<number>): number[] {
  const values = Array.from(shares);
  const sum = values.reduce((total, share) => total + share, 0);
  return values.map((share) => (sum > 0 ? share / sum : 1 / values.length));
}

/**
 * @param least what the model alone has; auxiliary tensors may follow it.
 * @returns the length of every update.
 * @throws AggregationError TOO_FEW_UPDATES for none; BAD_INPUT for members out of order, a wrong length, or a number that is not finite.
 */
export function checkUpdates(updates: readonly MemberUpdate[], least: number): number {
  const size = updates[0]?.delta.length;
  if (size === undefined) throw new AggregationError("TOO_FEW_UPDATES", "There is no update to aggregate.", {});
  for (const [k, { member, delta, samples }] of updates.entries()) {
    const before = updates[k - 1]?.member;
    const refuse = (what: string): AggregationError =>
      new AggregationError("BAD_INPUT", `Member ${member} ${what}.`, { member });
    if (before !== undefined && before >= member)
      throw refuse(`stands after member ${before}; members are ascending, each once`);
    if (delta.length !== size || size < least)
      throw refuse(`sends ${delta.length} values; the others send ${size} and the model has ${least}`);
    if (!(samples >= 0 && Number.isFinite(samples))) throw refuse(`states ${samples} samples`);
    if (!delta.every(Number.isFinite)) throw refuse("sends a value that is not finite");
  }
  return size;
}
