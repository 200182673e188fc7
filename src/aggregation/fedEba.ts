// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { median } from "./gramSpace.ts";
import { sharesOf } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { softmax } from "./softmax.ts";

export type FedEbaParameters = Extract<AggregationConfig, { rule: "fedeba" }>["parameters"];

/** Nats in a unit of reported losses. */
const LOSS_UNIT = 1 / 65_536;

/**
 * FedEBA: p_i = q_i e^{F_i/τ} / Σ_j q_j e^{F_j/τ}, F_i the reported loss of the received model on member i's data: **the higher the loss, the more
 * weight**. It maximises the entropy of p for a given mean loss. q is the `prior`: equal, or n_i. τ → ∞ is the mean, τ = 0 the worst member
 * alone (AFL, agnostic federated learning); members that then weigh nothing are not kept.
 *
 * Losses are what members say: who lies about a high one gains weight. `capMads` = k clips them to median + k·MAD (3 recommended) and so bounds
 * the gain; no bound is claimed beyond that. The weights are public and tell loss differences: F_i − F_j = τ·ln(p_i q_j / p_j q_i).
 *
 * FedEBA+ adds alignments, which are the members' work (client algorithm `fedeba`): the fair gradient, and the losses that choose between the two
 * alignments by their angle, travel beside the model and are averaged with p like it. Model alignment, (1 − α)Σp_iΔ_i + α·(mean of one-step updates),
 * is done there too, with the same weights for both: λ records one set. Needs K ≥ 1.
 *
 * Paper: Wang et al. 2023, "Entropy-driven fair and effective federated learning" (arXiv 2301.12407); AFL: Mohri et al. 2019.
 */
export function fedEba(parameters: FedEbaParameters) {
  return ({ losses, samples }: RuleInput): WeighedUpdates => {
    const shares = sharesOf(lossWeights(losses, samples, parameters));
    return { kind: "weights", kept: shares.map((share) => share > 0n), shares };
  };
}

/** p, which sums to 1 up to rounding. */
export function lossWeights(
  losses: readonly number[],
  samples: readonly number[],
  { temperature, prior, capMads }: FedEbaParameters,
): Float64Array {
  const nats = lossesInNats(losses, capMads);
  return softmax(nats, temperature, prior === "samples" ? samples : undefined);
}

/** Losses in nats, clipped to median + k·MAD where a k is given. */
export function lossesInNats(losses: readonly number[], capMads?: number): Float64Array {
  const nats = Float64Array.from(losses, (loss) => loss * LOSS_UNIT);
  if (capMads === undefined) return nats;
  const middle = median(nats);
  const limit = middle + capMads * median(nats.map((loss) => Math.abs(loss - middle)));
  return nats.map((loss) => (loss > limit ? limit : loss));
}
