// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { HALF_UNIT, sharesWithin } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { stalenessWeight } from "./staleness.ts";

export type FedAsyncParameters = Extract<AggregationConfig, { rule: "fedasync" }>["parameters"];

/**
 * FedAsync: w ← (1 − γψ(a_i))·w + γψ(a_i)·w_i for one update after the other, w_i = head + Δ_i. Several in one round are mixed in ascending member id,
 * the later ones with more weight: λ_i = γψ_i·Π_{j>i}(1 − γψ_j); Π_j(1 − γψ_j) stays unspent. γ = `mixing`.
 *
 * A stale update is added to the head as it is (Δ_i relative to the model it was made from), so that it does not pull the model back to where it
 * started. Older than `limit`: not kept; so is what later ones leave less than half a unit of weight. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: Xie, Koyejo, Gupta 2019, "Asynchronous federated optimization".
 */
export function fedAsync({ staleness, mixing }: FedAsyncParameters) {
  return ({ facts }: RuleInput): WeighedUpdates => {
    const ages = facts.staleness as readonly number[];
    const weights = new Float64Array(ages.length);
    let left = 1;
    for (let i = ages.length - 1; i >= 0; i--) {
      const pull = mixing * stalenessWeight(ages[i] as number, staleness);
      weights[i] = pull * left;
      left *= 1 - pull;
    }
    const kept = Array.from(weights, (weight) => weight >= HALF_UNIT);
    return { kind: "weights", kept, ...sharesWithin(weights, kept) };
  };
}
