// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { lossesInNats } from "./fedEba.ts";
import { sharesOf } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { normalised } from "./softmax.ts";

export type FairGradientParameters = Extract<AggregationConfig, { rule: "fair-gradient" }>["parameters"];

/**
 * Fair gradient: the step that descends Σα_iF_i + λ_f·(1/K)Σ(F_i − F̄)², the mean loss and its spread: λ_i ∝ max(0, α_i + (2λ_f/K)(F_i − F̄)), α = 1/K
 * or n_i/n, λ_f = `strength`. Members whose loss lies so far below the mean that nothing is left are not kept; where nobody is left, α.
 *
 * Losses are what members say; `capMads` clips them to median + k·MAD. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Source: the fairness term of SPFL, with the members' losses as contributions (the derivative of Shapley values is not known).
 */
export function fairGradient(parameters: FairGradientParameters) {
  return ({ losses, samples }: RuleInput): WeighedUpdates => {
    const prior = normalised(Float64Array.from(samples, (n) => (parameters.prior === "samples" ? n : 1)));
    const shares = sharesOf(fairWeights(prior, lossesInNats(losses, parameters.capMads), parameters.strength));
    return { kind: "weights", kept: shares.map((share) => share > 0n), shares };
  };
}

/** λ, which sums to 1 up to rounding. */
function fairWeights(alpha: Float64Array, losses: Float64Array, strength: number): Float64Array {
  let sum = 0;
  for (const loss of losses) sum += loss;
  const mean = sum / losses.length;
  const weights = alpha.map((weight, i) => {
    const moved = weight + ((2 * strength) / losses.length) * ((losses[i] as number) - mean);
    return moved > 0 ? moved : 0;
  });
  return weights.some((weight) => weight > 0) ? normalised(weights) : alpha;
}
