// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import { cohortSize, federationSchema } from "./cellConfig.ts";

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

/** Compositions by the names of the specification (§O), as far as they do not depend on the model's size: one row each. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  fedavg: {},
  /** Doc1's robust half as corrected: momentum at the members, ByzFed with the MAD filter. Top-k needs the model's size: set update.codec. */
  "fedsov-fixed": {
    training: { momentum: 0.9 },
    aggregation: { rule: "byzfed", parameters: { filter: "mad", k: 2, sizeWeighted: false } },
  },
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
  "hmsdfl+flcert": hmsdflWith({ server: { name: "flcert-d" } }),
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
  "fedsov-paper":
    "its top-k and noise need the number of parameters: state privacy.pipeline { name: paper, keep } yourself",
  "private-robust": "weights from a Gram matrix under secure computation are not built",
};

/** Every name that {@link recipeNamed} knows. */
export const RECIPE_NAMES: readonly string[] = Object.keys(RECIPES);

/**
 * What a recipe says.
 *
 * @param stated the cell without its recipes: of it, `members` and `participation` (the attackers assumed) and `resources` (tiers) count.
 * @throws ConfigError for a name that is no recipe, with the names there are, and for one that cannot be had, or not with so few members, with the reason.
 */
export function recipeNamed(name: string, stated: Tree): Tree {
  const recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
  if (recipe !== undefined) return typeof recipe === "function" ? recipe(stated) : recipe;
  const reason = REFUSED[name];
  if (reason !== undefined) throw new ConfigError(`The recipe ${name} has no name of its own: ${reason}.`, { name });
  throw new ConfigError(`There is no recipe "${name}"; there are ${RECIPE_NAMES.join(", ")}.`, { name });
}
