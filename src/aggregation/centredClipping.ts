// SPDX-License-Identifier: Apache-2.0
import { powerOfTwo } from "../protocol/grid.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { GramMatrix } from "../protocol/wideKernels.ts";
import { distancesTo, squaredDistances } from "./gramSpace.ts";
import { HALF_UNIT, sharesWithin } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type CentredClippingParameters = Extract<AggregationConfig, { rule: "centred-clipping" }>["parameters"];

/**
 * Centred clipping: v ← v + (1/K) Σ_i (Δ_i − v)·min(1, τ/‖Δ_i − v‖), `iterations` times from v = 0, the head itself. τ = `radius`, a length in
 * the units of parameters.
 *
 * One update moves the result by at most τ/K in an iteration, whatever its magnitude; so may an honest one, and a radius far below honest norms
 * only slows training down. Weights sum to less than 1 where something was clipped. The published bound holds for radii that depend on the
 * unknown variance of honest updates, so none is claimed. An update clipped to less than half a unit of weight is not kept: the whole unit that
 * everything kept gets would move the model by more than clipping allows. Needs K ≥ 1.
 *
 * The papers start from the last round's aggregate; this starts from 0, so that a round is a function of its own updates.
 *
 * Paper: Karimireddy, He, Jaggi 2021, "Learning from history for Byzantine robust optimization".
 */
export function centredClipping({ radius, iterations }: CentredClippingParameters) {
  return ({ gram, maxFractionBits, scaledBy = 1 }: RuleInput): WeighedUpdates => {
    const weights = clippedWeights(gram, radius * powerOfTwo(maxFractionBits) * scaledBy, iterations);
    const kept = Array.from(weights, (weight) => weight >= HALF_UNIT);
    return { kind: "weights", kept, ...sharesWithin(weights, kept) };
  };
}

/**
 * Weights b with v = Σ b_j Δ_j after some iterations: b ← b·(1 − Σc/K) + c/K, c_i = min(1, radius/‖Δ_i − v‖).
 *
 * @param radius in the units of the vectors whose inner products these are.
 * @returns b_i ≥ 0, Σ b ≤ 1 up to rounding.
 */
export function clippedWeights(gram: GramMatrix, radius: number, iterations: number): Float64Array {
  const count = gram.length;
  // The origin is one more point, with the weight that no update has: then the weights sum to 1, as distances in Gram space need.
  const origin = new Array<bigint>(count + 1).fill(0n);
  const distances = squaredDistances([...gram.map((row) => [...row, 0n]), origin]);
  const b = new Float64Array(count + 1);
  b[count] = 1;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const pulls = distancesTo(distances, b)
      .subarray(0, count)
      .map((distance) => (distance > radius ? radius / distance : 1) / count);
    let pulled = 0;
    for (const pull of pulls) pulled += pull;
    const left = pulled < 1 ? 1 - pulled : 0;
    for (let i = 0; i <= count; i++) b[i] = (b[i] as number) * left + (pulls[i] ?? 0);
  }
  return b.subarray(0, count);
}
