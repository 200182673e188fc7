// SPDX-License-Identifier: Apache-2.0
import { squaredNorm } from "../protocol/exactNorm.ts";
import { MAX_UPDATES } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { AggregationConfig } from "../protocol/recipe.ts";
import { nextReputation, REPUTATION_ONE } from "../protocol/reputation.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import { moved } from "./addWeighted.ts";
import { AggregationError } from "./aggregationError.ts";
import { integerWeights } from "./integerWeights.ts";
import type { WideKernels } from "./kernels/kernels.ts";
import { referenceKernels } from "./kernels/reference.ts";
import { type AggregationRule, ruleOf } from "./rules.ts";

export interface AggregateInput {
  /** The accepted updates, ascending memberId. */
  readonly updates: readonly VerifiedUpdate[];
  /** r before this round, Q16, aligned with `updates`. */
  readonly reputations: readonly number[];
  /** α of the reputation rule, Q16, below 1: at 1 a reputation of 0 would stay 0 and nothing kept could be weighed by it. */
  readonly alphaQ16: number;
  readonly config: AggregationConfig;
  /** The head's master model; not changed. */
  readonly master: Float64Array;
  readonly layout: ModelLayout;
  readonly kernels?: WideKernels;
}

export interface Aggregate {
  /** The rule's decision, aligned with the updates; coordinate rules keep everything. */
  readonly kept: readonly boolean[];
  /** λ, K × G, row by row, units 2^-16; 0 for what is not kept. Equal shares for coordinate rules, whose result is no weighted sum. */
  readonly weights: Uint32Array;
  /** The new master model. */
  readonly master: Float64Array;
  /** Σ (master' − master)², units 2^-2(F_max+16). */
  readonly updateNormSq: bigint;
  /** r after this round, Q16, aligned with the updates. */
  readonly reputations: readonly number[];
}

/**
 * Aggregates a round's accepted updates with the run's rule: an exact linear function of them on the master grid (or of their order
 * statistics), the same bits on every machine.
 *
 * @throws AggregationError when a condition of the rule is not met; there is no other rule to fall back to.
 */
export async function aggregate(input: AggregateInput): Promise<Aggregate> {
  const { updates, reputations, alphaQ16, config, master, layout, kernels = referenceKernels } = input;
  const rule = ruleOf(config);
  requireInput(input, rule);

  const values = updates.map((update) => update.values);
  const samples = updates.map((update) => update.samples);
  const decision = await rule.decide({ updates: values, samples, reputations, alphaQ16, layout, kernels });
  const everybody = decision.kind === "coordinates";
  const kept = everybody ? updates.map(() => true) : decision.kept;
  if (!kept.includes(true)) {
    throw new AggregationError("NOTHING_KEPT", `The rule ${config.rule} kept none of ${updates.length} updates.`, {
      rule: config.rule,
    });
  }
  // Every rule here gives all tensor groups the same weights.
  const column = integerWeights(everybody ? updates.map(() => 1n) : decision.shares, kept);
  const weights = Uint32Array.from(
    { length: updates.length * layout.groups },
    (_, at) => column[Math.floor(at / layout.groups)] as number,
  );
  const increment = everybody ? decision.increment : await kernels.weightedSum(values, weights, layout);

  return {
    kept,
    weights,
    master: moved(master, increment, layout),
    updateNormSq: squaredNorm(increment, layout),
    reputations: reputations.map((reputation, i) => nextReputation(reputation, alphaQ16, kept[i] as boolean)),
  };
}

function requireInput(
  { updates, reputations, alphaQ16, config, master, layout }: AggregateInput,
  rule: AggregationRule,
): void {
  const count = updates.length;
  if (count < rule.minUpdates) {
    throw new AggregationError(
      "TOO_FEW_UPDATES",
      `${config.rule} needs ${rule.minUpdates} updates and got ${count}; open the run with minAccepted of at least ${rule.minUpdates}.`,
      {
        rule: config.rule,
        needed: rule.minUpdates,
        updates: count,
      },
    );
  }
  if (count > MAX_UPDATES)
    throw new AggregationError("TOO_MANY_UPDATES", `${count} updates; at most ${MAX_UPDATES} can be summed exactly.`, {
      updates: count,
    });
  const bad = (message: string): AggregationError => new AggregationError("BAD_INPUT", message);
  if (reputations.length !== count) throw bad(`${reputations.length} reputations do not belong to ${count} updates.`);
  if (!Number.isInteger(alphaQ16) || alphaQ16 < 0 || alphaQ16 >= REPUTATION_ONE)
    throw bad(`α is an integer from 0 to 65535 (Q16, below 1), not ${alphaQ16}.`);
  if (master.length !== layout.size)
    throw bad(`A master of ${master.length} coordinates does not fit a layout of ${layout.size}.`);
  for (const [i, { memberId, values, samples }] of updates.entries()) {
    const previous = updates[i - 1]?.memberId ?? 0;
    if (memberId <= previous) throw bad(`Updates come in ascending member id; ${memberId} follows ${previous}.`);
    if (values.length !== layout.size)
      throw bad(`The update of member ${memberId} has ${values.length} coordinates, the layout ${layout.size}.`);
    if (!Number.isInteger(samples) || samples < 1)
      throw bad(`Member ${memberId} states ${samples} samples; at least 1 is needed.`);
  }
}
