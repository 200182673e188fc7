// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type MeanOfSendersParameters = Extract<AggregationConfig, { rule: "mean-of-senders" }>["parameters"];

/**
 * The mean, tensor group by tensor group, over the members that sent the group: Δ̄_l = Σ_{i sent l} p_i Δ_{i,l} / Σ_{i sent l} p_i, p the `prior`:
 * equal, or n_i. Where nobody sent anything the model does not move. For client algorithms that send some of their tensors (partial exchange with a budget):
 * a mean over everybody would count what did not travel as a wish to stay.
 *
 * Who sent a group is read off the updates, since everybody can check that: whoever has a coordinate in it that is not 0. Where all send everything, as
 * with noise on every coordinate, it is the plain mean. Nothing is judged, so everybody is kept, with or without weight.
 *
 * A group that one member alone sends moves by that member's update as it is: a clip norm C bounds the movement by C, not C/K, and no Byzantine
 * member is tolerated. Needs K ≥ 1.
 */
export function meanOfSenders({ prior }: MeanOfSendersParameters) {
  return ({ samples, groups }: RuleInput): WeighedUpdates => {
    const shares = samples.map((count) => (prior === "samples" ? BigInt(count) : 1n));
    const columns = groups.map(({ norms }) => {
      const kept = norms.map((norm) => norm > 0n);
      const sent = shares.map((share, i) => (kept[i] ? share : 0n));
      return kept.includes(true) ? { kept, shares: sent } : { kept, shares: sent, unspent: 1n };
    });
    return { kind: "weights", kept: samples.map(() => true), shares, columns };
  };
}
