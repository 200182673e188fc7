// SPDX-License-Identifier: Apache-2.0
import { cosineProxy } from "../../incentives/cosineProxy.ts";
import type { RoundName } from "../../incentives/permutations.ts";
import { exactShapley, MAX_EXACT_PLAYERS } from "../../incentives/shapley.ts";
import { shapleyOf } from "../../incentives/shapleyOf.ts";
import { truncatedShapley } from "../../incentives/truncatedShapley.ts";
import { askedOnce, type Utility } from "../../incentives/utility.ts";
import type { AgreedModel, Model } from "../../learning/model.ts";
import { fromHex } from "../../protocol/bytes.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { ScoringConfig } from "../../protocol/recipe/scoringConfig.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import type { RunContext } from "../../round/runContext.ts";
import { gameOf, keptScores, type RoundGame, type ScoringInput, scoreUpdates } from "../../round/scoreUpdates.ts";
import type { FederationConfig } from "./cellConfig.ts";
import type { Federation } from "./federation.ts";

/** Scores of a round's accepted updates, in their order; 0 for what was not kept. */
export interface RoundScores {
  /** Integers in 2^-20 nats; of `cosine`, which has no unit, in 2^-20. */
  readonly scores: readonly number[];
  /** Coalitions whose loss was measured; of the in-run methods, gradients. */
  readonly evaluations: number;
  /** The exact values of the same round, where the cell compares. */
  readonly exact?: readonly number[];
}

/** A round to score, with what its updates hold. */
export interface LaboratoryScoring extends ScoringInput {
  /** Decoded, aligned with `updates`. */
  readonly values: readonly Int32Array[];
}

type Scoring = NonNullable<FederationConfig["scoring"]>;
type Method = NonNullable<Scoring["method"]>;

/** Samples that a gradient takes at once, where the engine does not say. */
const BATCH = 120;
/** What 1 is in scores without a unit. */
const ONE = 1_048_576;

/**
 * Contributions of a round's updates as the cell scores them: the functions of nodes and validators on this machine's engine instead of the
 * agreed one, and beside them the truncated orders and the cosine proxy, which no recipe names.
 *
 * @throws ConfigError where exact values of more than ten updates are asked for.
 */
export async function scoreRound(
  { config, layout, model, validation }: Pick<Federation, "config" | "layout" | "model" | "validation">,
  scoring: Scoring,
  input: LaboratoryScoring,
  kernels: WideKernels,
): Promise<RoundScores> {
  const { method = "monte-carlo", permutations, truncation, coalitions, compare = false } = scoring;
  const { updates, aggregated, beacon, round } = input;
  const kept = updates.flatMap((_, i) => (aggregated.kept[i] ? [i] : []));
  const exactly = method === "exact" || compare;
  const playing = coalitions === "rule" ? updates.length : kept.length;
  if (exactly && playing > MAX_EXACT_PLAYERS)
    throw new ConfigError(
      `Exact scores of ${playing} updates would take 2^${playing} models a round; ${MAX_EXACT_PLAYERS} are the most. Take another scoring.method, and leave scoring.compare out.`,
      { updates: playing },
    );
  // On chain the model would be the agreed engine's, so that all get the same bits; here one machine alone scores.
  const recipe = {
    aggregation: config.aggregation,
    scoring: { mode: "exact", permutations, truncation, coalitions, method: IN_RUN[method] },
  };
  const params = { alphaQ16: Math.floor(config.reputationMemory * REPUTATION_ONE) };
  const context = { layout, run: 1n, params, recipe } as unknown as RunContext;
  const surroundings = (samples: Dataset) => ({ scorer: { model: scorerOf(model), heldOut: samples }, kernels });
  // The comparison asks for every coalition; each is evaluated once for both.
  const plays = exactly || !WITHOUT_COALITIONS.has(method);
  const game: RoundGame | undefined =
    validation === undefined || !plays ? undefined : remembered(await gameOf(context, surroundings(validation), input));
  const scoresOf = ({ players }: Pick<RoundGame, "players">, own: readonly number[]): number[] =>
    keptScores(players, own, input);
  const exact =
    exactly && game !== undefined ? scoresOf(game, await exactShapley(game.players.length, game.utility)) : undefined;
  const compared = compare && exact !== undefined ? { exact } : {};

  if (method === "cosine")
    return { scores: scoresOf({ players: kept }, await cosines(input, kept, kernels)), evaluations: 0, ...compared };
  if (validation === undefined) throw new ConfigError("Scores need samples to measure on: set serverData.validation.");
  if (method === "in-run-1" || method === "in-run-2") {
    const scores = await scoreUpdates(context, surroundings(validation), input);
    return { scores, evaluations: method === "in-run-1" ? 1 : 2, ...compared };
  }
  const { players, utility } = game as RoundGame;
  const { utilityOf, asked } = askedOnce(utility);
  const name: RoundName = { beacon: fromHex(beacon, 32), run: 1n, round };
  const own =
    method === "truncated"
      ? await truncatedShapley(players.length, utilityOf, { permutations, truncation, ...name })
      : await shapleyOf({ method, permutations, truncation }, players.length, utilityOf, name);
  return { scores: scoresOf({ players }, own), evaluations: asked(), ...compared };
}

const WITHOUT_COALITIONS: ReadonlySet<Method> = new Set(["in-run-1", "in-run-2", "cosine"] as const);

/** The two methods that a recipe calls otherwise. */
const IN_RUN: Readonly<Partial<Record<Method, ScoringConfig["method"]>>> = {
  "in-run-1": "in-run",
  "in-run-2": "in-run-second-order",
};

function remembered({ players, utility }: RoundGame): { players: readonly number[]; utility: Utility } {
  const { utilityOf } = askedOnce(utility);
  return { players, utility: utilityOf };
}

/** cos(Δ_i, Δ̄)·min(1, ‖Δ_i‖/median‖Δ‖) of the kept updates, in 2^-20. The rule gives one weight to a whole update. */
async function cosines(
  { aggregated, values }: LaboratoryScoring,
  players: readonly number[],
  kernels: WideKernels,
): Promise<number[]> {
  if (players.length === 0) return [];
  const gram = await kernels.gram(players.map((i) => ({ kind: "dense", values: values[i] as Int32Array })));
  const weights = Uint32Array.from(players, (i) => aggregated.weights[i] as number);
  return Array.from(cosineProxy(gram, weights), (value) => Math.round(value * ONE));
}

/** The laboratory's engine as scoring wants one: `agreed` is only for recipes to name. */
function scorerOf(model: Model): AgreedModel {
  return {
    config: model.config,
    layout: model.layout,
    parameterCount: model.parameterCount,
    batchSize: model.batchSize ?? BATCH,
    forward: (...call: Parameters<Model["forward"]>) => model.forward(...call),
    valueAndGradient: (...call: Parameters<Model["valueAndGradient"]>) => model.valueAndGradient(...call),
  } as unknown as AgreedModel;
}
