// SPDX-License-Identifier: Apache-2.0

import { addWeighted } from "../aggregation/addWeighted.ts";
import type { Aggregate } from "../aggregation/aggregate.ts";
import { ruleOf } from "../aggregation/rules.ts";
import { type CoalitionWeighting, coalitionWeights } from "../incentives/coalitionWeights.ts";
import { shapleyOf } from "../incentives/shapleyOf.ts";
import type { Utility } from "../incentives/utility.ts";
import { agreedLoss } from "../learning/agreedLoss.ts";
import type { AgreedModel } from "../learning/model.ts";
import { bitsOf } from "../protocol/bitmap.ts";
import { fromHex, type Hex } from "../protocol/bytes.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { splitMaster } from "../protocol/grid.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import { inRunScores } from "./inRunScores.ts";
import type { RunContext } from "./runContext.ts";

/** What scoring needs beside the round: a held-out set (public, or the validator's own) and the agreed engine. */
export interface Scorer {
  readonly model: AgreedModel;
  readonly heldOut: Dataset;
}

/** What scores are a function of, beside the run. */
export interface ScoringInput {
  /** The head's master model. */
  readonly parent: Float64Array;
  readonly updates: readonly VerifiedUpdate[];
  readonly aggregated: Pick<Aggregate, "kept" | "weights">;
  readonly beacon: Hex;
  readonly round: number;
}

/** The model's own coordinates of what travels: what client algorithms send beside it comes after. */
function modelOf(view: Float32Array, { parameterCount }: Pick<AgreedModel, "parameterCount">): Float32Array {
  return view.subarray(0, parameterCount);
}

/**
 * Shapley values of the kept updates, integers in 2^-20 nats, aligned with `updates`; 0 for what is not kept (design §4.6).
 *
 * v(S) = loss(head) − loss(head + Σ_{k∈S} λ'_k q_k) on the held-out set, with the round's own λ restricted to S and renormalised to
 * its column sums (equal weights for coordinate rules, whose result is no weighted sum). With the in-run methods the closed form for
 * its expansion at the head instead.
 */
export async function scoreUpdates(
  context: RunContext,
  { scorer, kernels, signal }: { scorer: Scorer; kernels: WideKernels; signal?: AbortSignal | undefined },
  input: ScoringInput,
): Promise<number[]> {
  const { recipe } = context;
  const { method = "monte-carlo" } = recipe.scoring;
  if (method === "in-run" || method === "in-run-second-order")
    return inRunScores(context, method === "in-run" ? 1 : 2, { scorer, kernels, signal }, input);
  const { updates, beacon, round } = input;
  const { players, utility } = await gameOf(context, { scorer, kernels, signal }, input);
  const name = { beacon: fromHex(beacon, 32), run: context.run, round };
  const scores = await shapleyOf({ ...recipe.scoring, method }, players.length, utility, name);
  const all = updates.map(() => 0);
  for (const [player, index] of players.entries()) all[index] = scores[player] as number;
  return all;
}

/** Who plays (the kept updates, by place), and what each of their coalitions is worth. */
export interface RoundGame {
  readonly players: readonly number[];
  readonly utility: Utility;
}

/** The game that the sampled methods score: see {@link scoreUpdates}. A coalition is evaluated each time it is asked. */
export async function gameOf(
  { layout, recipe }: Pick<RunContext, "layout" | "recipe">,
  { scorer, kernels, signal }: { scorer: Scorer; kernels: WideKernels; signal?: AbortSignal | undefined },
  { parent, updates, aggregated }: Pick<ScoringInput, "parent" | "updates" | "aggregated">,
): Promise<RoundGame> {
  const players = updates.map((_, i) => i).filter((i) => aggregated.kept[i]);
  const lossOf = (master: Float64Array): Promise<bigint> =>
    agreedLoss(scorer.model, modelOf(splitMaster(master, layout).view, scorer.model), scorer.heldOut);
  const before = await lossOf(parent);
  const weighting: CoalitionWeighting = ruleOf(recipe.aggregation).coordinateWise ? "equal" : "own";
  const utility = async (coalition: bigint): Promise<bigint> => {
    signal?.throwIfAborted();
    const rows = bitsOf(coalition).map((player) => players[player] as number);
    const weights = coalitionWeights(aggregated.weights, layout.groups, rows, weighting);
    return before - (await lossOf(await addWeighted(parent, updates, weights, layout, kernels)));
  };
  return { players, utility };
}
