// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { sharesWithin } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { normalised } from "./softmax.ts";
import { stalenessWeight } from "./staleness.ts";

export type FedBuffParameters = Extract<AggregationConfig, { rule: "fedbuff" }>["parameters"];

/**
 * FedBuff: the mean of the Z buffered updates, each shrunk by its staleness: λ_i = η_g·ψ(a_i)·u_i, u_i = 1/Z or n_i/n. A round's accepted updates are the
 * buffer. What staleness takes away stays unspent, so a buffer of old updates moves the model by little.
 *
 * η_g = `stepSize` ≤ 1; longer steps are a server optimiser's. Updates older than `limit` rounds are not kept and do not count in Z. Staleness
 * is a fact of the semi-asynchronous laboratory; on chain every update is made from the head. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: Nguyen et al. 2022, "Federated learning with buffered asynchronous aggregation".
 */
export function fedBuff({ staleness, stepSize, prior }: FedBuffParameters) {
  return ({ samples, facts }: RuleInput): WeighedUpdates => {
    const psi = Float64Array.from(facts.staleness as readonly number[], (age) => stalenessWeight(age, staleness));
    const kept = Array.from(psi, (weight) => weight > 0);
    if (!kept.includes(true)) return { kind: "weights", kept, shares: samples.map(() => 0n) };
    const share = normalised(
      psi.map((weight, i) => (weight === 0 ? 0 : prior === "samples" ? (samples[i] as number) : 1)),
    );
    const weights = share.map((one, i) => one * stepSize * (psi[i] as number));
    return { kind: "weights", kept, ...sharesWithin(weights, kept) };
  };
}
