// SPDX-License-Identifier: Apache-2.0

import type { Aggregate } from "../aggregation/aggregate.ts";
import type { RoundFacts } from "../aggregation/rule.ts";
import { shapleyOf } from "../incentives/shapleyOf.ts";
import type { Utility } from "../incentives/utility.ts";
import { agreedLoss } from "../learning/agreedLoss.ts";
import type { AgreedModel } from "../learning/model.ts";
import { bitsOf } from "../protocol/bitmap.ts";
import { fromHex, type Hex } from "../protocol/bytes.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { splitMaster } from "../protocol/grid.ts";
import { requireCoalitions } from "../protocol/recipe/scoringConfig.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import { ruledCoalitions, weighedCoalitions } from "./coalitionModels.ts";
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
  /** Q16, before the round, aligned with `updates`; only coalitions by the rule look at them. */
  readonly reputations: readonly number[];
  /** What the rule needs beside, before the round. */
  readonly facts?: RoundFacts;
  readonly beacon: Hex;
  readonly round: number;
}

/** The model's own coordinates of what travels: what client algorithms send beside it comes after. */
function modelOf(view: Float32Array, { parameterCount }: Pick<AgreedModel, "parameterCount">): Float32Array {
  return view.subarray(0, parameterCount);
}

/**
 * Shapley values of a round's updates, integers in 2^-20 nats, aligned with `updates`; 0 for what is not kept (design §4.6).
 *
 * v(S) = loss(head) − loss(head + what S alone would have moved it by) on the held-out set: by the round's own λ, among the kept updates; or, where
 * the recipe values coalitions by the rule, by what the rule itself decides from S, among all updates (coalitionModels.ts). With the in-run methods the
 * closed form for the former's expansion at the head instead.
 *
 * @throws ConfigError for an in-run method with coalitions by the rule.
 */
export async function scoreUpdates(
  context: RunContext,
  { scorer, kernels, signal }: { scorer: Scorer; kernels: WideKernels; signal?: AbortSignal | undefined },
  input: ScoringInput,
): Promise<number[]> {
  const { recipe } = context;
  requireCoalitions(recipe.scoring);
  const { method = "monte-carlo" } = recipe.scoring;
  if (method === "in-run" || method === "in-run-second-order")
    return inRunScores(context, method === "in-run" ? 1 : 2, { scorer, kernels, signal }, input);
  const { beacon, round } = input;
  const { players, utility } = await gameOf(context, { scorer, kernels, signal }, input);
  const name = { beacon: fromHex(beacon, 32), run: context.run, round };
  return keptScores(players, await shapleyOf({ ...recipe.scoring, method }, players.length, utility, name), input);
}

/** Scores of a game's players by update. What is not kept is paid nothing, so its share of a game by the rule goes to nobody. */
export function keptScores(
  players: readonly number[],
  scores: readonly number[],
  { updates, aggregated }: Pick<ScoringInput, "updates" | "aggregated">,
): number[] {
  const all = updates.map(() => 0);
  for (const [player, index] of players.entries())
    if (aggregated.kept[index] === true) all[index] = scores[player] as number;
  return all;
}

/** Who plays (by place among the updates), and what each of their coalitions is worth. */
export interface RoundGame {
  readonly players: readonly number[];
  readonly utility: Utility;
}

/**
 * The game that the sampled methods score: see {@link scoreUpdates}. A coalition is evaluated each time it is asked.
 *
 * By the round's λ the kept updates play. By the rule all do, since what is not kept decides with the others which are: v of all is what the round
 * gained, before any server optimiser; v of a coalition that the rule refuses is 0.
 */
export async function gameOf(
  context: Pick<RunContext, "layout" | "recipe" | "params">,
  { scorer, kernels, signal }: { scorer: Scorer; kernels: WideKernels; signal?: AbortSignal | undefined },
  input: ScoringInput,
): Promise<RoundGame> {
  const { layout, recipe } = context;
  const { parent, updates, aggregated } = input;
  const byRule = recipe.scoring.coalitions === "rule";
  const players = updates.map((_, i) => i).filter((i) => byRule || aggregated.kept[i]);
  const lossOf = (master: Float64Array): Promise<bigint> =>
    agreedLoss(scorer.model, modelOf(splitMaster(master, layout).view, scorer.model), scorer.heldOut);
  const before = await lossOf(parent);
  const modelBy = (byRule ? ruledCoalitions : weighedCoalitions)(context, { kernels, signal }, input);
  const utility = async (coalition: bigint): Promise<bigint> => {
    signal?.throwIfAborted();
    const moved = await modelBy(bitsOf(coalition).map((player) => players[player] as number));
    return moved === undefined ? 0n : before - (await lossOf(moved));
  };
  return { players, utility };
}
