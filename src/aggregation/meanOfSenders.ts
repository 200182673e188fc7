// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
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
 * λ is public, so everybody learns which groups a member sent, which the member chose by its data. A group that one member alone sends moves by that member's update as it is: a clip norm C bounds the movement by C, not C/K, and no Byzantine
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

/**
 * Why updates coded so do not show who sent a tensor; undefined where they do. Sparse codecs leave out what they will say later: of a
 * tensor that K members have in turn, each would be counted whole for what waited meanwhile, K times the step.
 */
export function hidesSenders({ rule }: AggregationConfig, codec: Pick<CodecConfig, "name">): string | undefined {
  if (rule !== "mean-of-senders" || !codec.name.startsWith("topk")) return undefined;
  return `${codec.name} sends a coordinate when enough has waited for it, so that who sent a tensor says nothing; take a dense codec for the rule mean-of-senders, or another rule`;
}

/**
 * @param tensors of the run, each with its column of λ.
 * @throws ConfigError where the rule could not tell who sent a tensor.
 */
export function requireSendersShown({
  aggregation,
  update,
  layout,
}: {
  readonly aggregation: AggregationConfig;
  readonly update: { readonly codec: Pick<CodecConfig, "name"> };
  readonly layout: readonly { readonly name: string; readonly group: number }[];
}): void {
  const hidden = hidesSenders(aggregation, update.codec);
  if (hidden !== undefined) throw new ConfigError(`The codec ${hidden}.`, { codec: update.codec.name });
  const groups = new Set(layout.map(({ group }) => group)).size;
  if (aggregation.rule === "mean-of-senders" && groups < layout.length)
    throw new ConfigError(
      `The rule mean-of-senders has a mean for each of the layout's ${groups} groups, and its ${layout.length} tensors share them: who sent one would count for all of its group. Give each tensor a group of its own (0, 1, 2, …), or leave layout out.`,
      { groups, tensors: layout.length },
    );
}
