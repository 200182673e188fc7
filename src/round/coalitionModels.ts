// SPDX-License-Identifier: Apache-2.0
import { addWeighted } from "../aggregation/addWeighted.ts";
import { aggregate } from "../aggregation/aggregate.ts";
import { AggregationError, type AggregationRefusal } from "../aggregation/aggregationError.ts";
import { masterInMemory } from "../aggregation/masterInMemory.ts";
import type { RoundFacts } from "../aggregation/rule.ts";
import { ruleOf } from "../aggregation/rules.ts";
import { type CoalitionWeighting, coalitionWeights } from "../incentives/coalitionWeights.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import type { RunContext } from "./runContext.ts";
import type { ScoringInput } from "./scoreUpdates.ts";

/** The master model that the updates in `rows` (ascending, not empty) alone would have made of the head's; undefined: none, the round would have failed. */
export type CoalitionModel = (rows: readonly number[]) => Promise<Float64Array | undefined>;

export interface CoalitionMachinery {
  readonly kernels: WideKernels;
  readonly signal?: AbortSignal | undefined;
}

type Run = Pick<RunContext, "layout" | "recipe" | "params">;

/**
 * head + Σ_{k∈S} λ'_k q_k with the round's own λ restricted to S and renormalised to its column sums; equal weights for coordinate rules, whose
 * result is no weighted sum.
 */
export function weighedCoalitions(
  { layout, recipe }: Pick<RunContext, "layout" | "recipe">,
  { kernels }: CoalitionMachinery,
  { parent, updates, aggregated }: Pick<ScoringInput, "parent" | "updates" | "aggregated">,
): CoalitionModel {
  const weighting: CoalitionWeighting = ruleOf(recipe.aggregation).coordinateWise ? "equal" : "own";
  return (rows) =>
    addWeighted(parent, updates, coalitionWeights(aggregated.weights, layout.groups, rows, weighting), layout, kernels);
}

/** A coalition that the rule refuses so is a round that fails. Every other refusal is a defect of the caller, which the round itself would have met. */
const FAILURES: ReadonlySet<string> = new Set<AggregationRefusal>(["TOO_FEW_UPDATES", "NOTHING_KEPT", "GRID_OVERFLOW"]);

/**
 * head + rule(S): what the run's own rule, with the steps before it, decides from the updates in S alone (spec F1, `sameRule`): their Gram matrix,
 * their reputations and facts as they were before the round, the round's beacon. The server optimiser, whose state belongs to the whole round's
 * movement, is left out. Updates are read in spans, and one more model is held, as for {@link weighedCoalitions}; a coalition costs the rule's own
 * passes over its updates.
 */
export function ruledCoalitions(
  { layout, recipe, params }: Run,
  { kernels, signal }: CoalitionMachinery,
  { parent, updates, reputations, facts, beacon }: ScoringInput,
): CoalitionModel {
  return async (rows) => {
    const master = masterInMemory(parent);
    try {
      await aggregate({
        updates: of(updates, rows),
        reputations: of(reputations, rows),
        alphaQ16: params.alphaQ16,
        beacon,
        config: recipe.aggregation,
        layout,
        master,
        ...(facts === undefined ? {} : { facts: factsOf(facts, rows) }),
        kernels,
        signal,
      });
    } catch (error) {
      if (error instanceof AggregationError && FAILURES.has(error.code)) return undefined;
      throw error;
    }
    return master.after;
  };
}

function of<T>(all: readonly T[], rows: readonly number[]): T[] {
  return rows.map((row) => all[row] as T);
}

/** The root is of nobody in the round; every other fact is a list with an entry for each update. */
function factsOf({ root, ...lists }: RoundFacts, rows: readonly number[]): RoundFacts {
  const own = Object.entries(lists).map(([fact, values]) => [fact, of<number | undefined>(values, rows)]);
  return { ...Object.fromEntries(own), ...(root === undefined ? {} : { root }) };
}
