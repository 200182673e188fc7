// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type DeploymentMode, roundCurve } from "../../privacy/deployment.ts";
import { noiseMultiplierFor } from "../../privacy/rdp.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { privacySchema } from "../../protocol/recipe/privacyConfig.ts";
import { cohortSize, federationSchema } from "./cellConfig.ts";
import { samplingOf } from "./privateUploads.ts";

type Tree = { readonly [key: string]: unknown };

/** A composition, or one that follows from what the cell states beside it. */
type Recipe = Tree | ((stated: Tree) => Tree);

const spflServer = { serverData: { validation: 200 }, scoring: { method: "gtg" } };
const adaptive = { beta1: 0.9, tau: 0.001 };
const cohort = federationSchema.pick({ members: true, participation: true });

/** HMSDFL at every member; where the cell says how fast their machines are (`resources`), by resource tier. */
const hmsdflWith =
  (more: Recipe): Recipe =>
  (stated) => {
    const client = { name: "hmsdfl", weight: 0.001 };
    const tiered = stated.resources === undefined ? client : { ...client, tiers: {} };
    return { client: tiered, ...(typeof more === "function" ? more(stated) : more) };
  };

/** K of the cell, and f = ⌊0.2·K⌋, the attackers to reckon with where nobody says (spec M). */
function assumedAttackers({ members, participation }: Tree): { readonly invited: number; readonly byzantine: number } {
  const { data } = cohort.safeParse({ members, participation });
  if (data === undefined)
    throw new ConfigError("The recipe reckons with a fifth of a round's members: set members and participation.", {
      members: String(members),
      participation: String(participation),
    });
  const invited = cohortSize(data);
  return { invited, byzantine: Math.floor(invited / 5) };
}

function trimmedMean(stated: Tree): Tree {
  return { aggregation: { rule: "trimmed-mean", parameters: { trim: assumedAttackers(stated).byzantine } } };
}

function bulyan(stated: Tree): Tree {
  const { invited, byzantine } = assumedAttackers(stated);
  if (4 * byzantine + 3 > invited)
    throw new ConfigError(
      `Bulyan needs 4f + 3 = ${4 * byzantine + 3} members a round to bear the f = ${byzantine} attackers assumed, and ${invited} are invited; ` +
        "invite more, or state client hmsdfl and aggregation { rule: bulyan, parameters: { byzantine } } with a smaller f.",
      { invited, byzantine },
    );
  return { aggregation: { rule: "bulyan", parameters: { byzantine } } };
}

/** Doc1's ε and δ. */
const BUDGET = { epsilon: 4, delta: 1e-5 };
const budgets = z.strictObject({
  epsilon: z.number().positive().default(BUDGET.epsilon),
  delta: z.number().positive().lt(1).default(BUDGET.delta),
});
const [, , { shape: central }] = privacySchema.options;
/** As much of a cell as its noise follows from. */
const noisy = federationSchema.pick({ members: true, participation: true, rounds: true }).extend({
  privacy: z.looseObject({ budget: budgets.optional(), sampling: central.sampling }).optional(),
});

/**
 * Clip to C = 1, and the least noise, in hundredths, with which the updates of all the cell's rounds cost a member that is in each no more than the
 * budget: the inverse of the accountant.
 */
function privacyFor(mode: Exclude<DeploymentMode, "central">, stated: Tree): Tree {
  const { members: n, participation: share, rounds: t, privacy } = stated;
  const { data } = noisy.safeParse({ members: n, participation: share, rounds: t, privacy });
  if (data === undefined)
    throw new ConfigError(
      "The recipe's noise follows from members, participation, rounds and, where it is stated, privacy { budget, sampling }: set the first three, and the budget where it is not 4 at 1e-5.",
      { members: String(n), rounds: String(t) },
    );
  const { members, participation, rounds } = data;
  const budget = data.privacy?.budget ?? BUDGET;
  const sampling = data.privacy?.sampling ?? samplingOf({ members, participation, privacy: undefined });
  const curve = (noiseMultiplier: number) => roundCurve({ mode, noiseMultiplier }, sampling);
  const noiseMultiplier = Math.ceil(100 * noiseMultiplierFor(curve, { ...budget, rounds })) / 100;
  return { mode, clipNorm: 1, noiseMultiplier, budget };
}

const byzFed = (filter: Tree): Tree => ({
  aggregation: { rule: "byzfed", parameters: { ...filter, sizeWeighted: false } },
});
const heavyBall = { training: { momentum: 0.9 } };

/** Doc1 as printed, but for its clip and its error feedback: top-k of 11 % (its 78 % fewer bytes), then noise on every coordinate, which takes them back. */
function fedSovAsPrinted(stated: Tree): Tree {
  return {
    ...heavyBall,
    ...byzFed({ filter: "tau", tau: 3 }),
    privacy: {
      ...privacyFor("local", stated),
      loss: { clip: 4, noiseMultiplier: 20 },
      pipeline: { name: "paper", errorFeedback: true, keepShare: 0.11 },
    },
  };
}

/** Doc1's private half as corrected (D8, P1): coordinates that are everybody's and depend on no data, noise on these alone, and a mean that chooses nothing. */
function fedSovPrivate(stated: Tree): Tree {
  return {
    ...heavyBall,
    aggregation: { rule: "uniform-mean" },
    update: { codec: { name: "randk-int16", blockSize: 256, keepShare: 0.05, unbiased: false } },
    privacy: { ...privacyFor("distributed", stated), colluders: 0, errorFeedback: true },
  };
}

/** Compositions by the names of the specification (§O): one row each. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  fedavg: {},
  "fedsov-paper": fedSovAsPrinted,
  /** Doc1's robust half as corrected: clip, top-k with error feedback, ByzFed with the MAD filter. */
  "fedsov-fixed": {
    ...heavyBall,
    ...byzFed({ filter: "mad", k: 2 }),
    update: { codec: { name: "topk-int8", blockSize: 256, keepShare: 0.05 }, maxNorm: 2 },
  },
  "fedsov-fixed-private": fedSovPrivate,
  spfl: {
    client: { name: "spfl" },
    aggregation: { rule: "spfl", parameters: { audit: { filter: "tau", tau: 1.5 }, weighting: "softmax" } },
    ...spflServer,
  },
  "spfl-fair": {
    client: { name: "spfl" },
    aggregation: {
      rule: "spfl",
      parameters: {
        audit: { filter: "tau", tau: 1.5 },
        weighting: "softmax",
        fair: { kappa: 0.5, temperature: 1, prior: "uniform", capMads: 3 },
      },
    },
    ...spflServer,
  },
  "hmsdfl+fedavg": hmsdflWith({}),
  "hmsdfl+trimean": hmsdflWith(trimmedMean),
  "hmsdfl+median": hmsdflWith({ aggregation: { rule: "coordinate-median" } }),
  "hmsdfl+bulyan": hmsdflWith(bulyan),
  "hmsdfl+fltrust": hmsdflWith({
    aggregation: { rule: "fltrust" },
    server: { name: "fltrust-root" },
    serverData: { samples: 100 },
  }),
  "hmsdfl+fedredefense": hmsdflWith({ server: { name: "fedredefense" }, serverData: { samples: 100 } }),
  /** Dealt in turn: by hash, which FLCert-D takes if nothing is said, one of its five groups has none of 24 members or fewer. */
  "hmsdfl+flcert": hmsdflWith({ server: { name: "flcert-d", assignment: "balanced" } }),
  "fedeba+": {
    client: { name: "fedeba" },
    aggregation: { rule: "fedeba", parameters: { temperature: 1, prior: "uniform" } },
  },
  "fedopt-avgm": { serverOptimiser: { name: "fedavgm", learningRate: 0.5, momentum: 0.9 } },
  "fedopt-adagrad": { serverOptimiser: { name: "fedadagrad", learningRate: 0.1, beta1: 0, tau: 0.001 } },
  "fedopt-adam": { serverOptimiser: { name: "fedadam", learningRate: 0.02, beta2: 0.99, ...adaptive } },
  "fedopt-yogi": { serverOptimiser: { name: "fedyogi", learningRate: 0.01, beta2: 0.99, ...adaptive } },
  /** B17; with `server: { name: feddf }` and the student's `model`, E20. These architectures take any data; state your own. */
  "heterogeneous-models": {
    models: [
      { kind: "logistic" },
      { kind: "mlp", hidden: [32], activation: "relu" },
      { kind: "mlp", hidden: [64, 32], activation: "relu" },
    ],
    client: { name: "functional", samples: 200 },
    server: { name: "functional" },
    serverData: { samples: 200 },
  },
  async: { schedule: { name: "fedbuff" } },
};

/** Names of the specification that are no recipe here, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  "private-robust":
    "its servers compute the updates' Gram matrix and weighted sum under multi-party computation, which is not built, and without it somebody sees single updates that carry but a part of the noise; take fedsov-fixed-private, or a robust rule after local noise (privacy.mode: local)",
};

/** Every name that {@link recipeNamed} knows. */
export const RECIPE_NAMES: readonly string[] = Object.keys(RECIPES);

/**
 * What a recipe says.
 *
 * @param stated the cell without its recipes: of it, `members` and `participation` (the attackers assumed), `rounds` and `privacy.budget` (the noise) and
 * `resources` (tiers) count.
 * @throws ConfigError for a name that is no recipe, with the names there are, and for one that cannot be had, or not with so few members, with the reason.
 */
export function recipeNamed(name: string, stated: Tree): Tree {
  const recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
  if (recipe !== undefined) return typeof recipe === "function" ? recipe(stated) : recipe;
  const reason = REFUSED[name];
  if (reason !== undefined) throw new ConfigError(`The recipe ${name} cannot be had: ${reason}.`, { name });
  throw new ConfigError(`There is no recipe "${name}"; there are ${RECIPE_NAMES.join(", ")}.`, { name });
}
