// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { nextReputation } from "../protocol/reputation.ts";
import { geometricMedianWeights } from "./geometricMedian.ts";
import { distancesTo, median, squaredDistances } from "./gramSpace.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type ByzFedParameters = Extract<AggregationConfig, { rule: "byzfed" }>["parameters"];

/** How far from the geometric median an update may lie. */
type DistanceFilter = { readonly filter: "tau"; readonly tau: number } | { readonly filter: "mad"; readonly k: number };

/** 1.4826 · MAD estimates σ of normal data: 1/Φ⁻¹(¾). */
const MAD_TO_SIGMA = 1.4826;

/**
 * ByzFed: keep 𝓕 = {i : d_i ≤ limit}, d_i = ‖Δ_i − μ‖ with μ the geometric median, and average 𝓕 by reputation: Σ_{i∈𝓕} w_i Δ_i, w_i ∝ r'_i
 * (times n_i if `sizeWeighted`), r' the reputation after this round.
 *
 * `tau`: limit = τ · median(d). τ = 3 (the paper's) filters nobody in high dimension, where distances concentrate: an update merely negated
 * sits at 1–2 medians; 1.5–2 is useful. `mad`: limit = median(d) + k · 1.4826 · MAD(d), k = 2 recommended.
 *
 * Where more than half of the updates are equal the limit is 0 and exactly those are kept: on the grid equal updates have equal distances,
 * so no tolerance is needed. 𝓕 is empty only for τ < 1. The filter has no bound proven against adaptive attackers; with `sizeWeighted` a
 * false n_i buys weight up to the member's registered maximum. Needs K ≥ 4, below which the median distance says nothing.
 *
 * Source: Algorithm 2 (ByzFed) of the DSAIN paper on sovereign federated learning; it leaves α, the first reputation and absent members open,
 * which docs/protocol.md fixes.
 */
export function byzFed(parameters: ByzFedParameters) {
  return ({ samples, reputations, alphaQ16, gram }: RuleInput): WeighedUpdates => {
    const squared = squaredDistances(gram);
    const distances = distancesTo(squared, geometricMedianWeights(squared));
    const limit = filterLimit(distances, parameters);
    const kept = Array.from(distances, (distance) => distance <= limit);
    const shares = kept.map((isKept, i) => {
      if (!isKept) return 0n;
      const reputation = BigInt(nextReputation(reputations[i] as number, alphaQ16, true));
      return parameters.sizeWeighted ? reputation * BigInt(samples[i] as number) : reputation;
    });
    return { kind: "weights", kept, shares };
  };
}

/** Largest distance from the geometric median that is kept. */
export function filterLimit(distances: Float64Array, parameters: DistanceFilter): number {
  const middle = median(distances);
  if (parameters.filter === "tau") return parameters.tau * middle;
  const deviations = distances.map((distance) => Math.abs(distance - middle));
  return middle + parameters.k * (MAD_TO_SIGMA * median(deviations));
}
