// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";

type Tree = { readonly [key: string]: unknown };

const momentum = { optimiser: "sgd-momentum", momentum: 0.9 };
const spflServer = { serverData: { validation: 200 }, scoring: {} };
const adaptive = { beta1: 0.9, tau: 0.001 };
const hmsdfl = { name: "hmsdfl", weight: 0.001 };

/** Compositions by the names of the specification (§O), as far as they do not depend on the model's size: one row each. */
const RECIPES: Readonly<Record<string, Tree>> = {
  fedavg: {},
  /** Doc1's robust half as corrected: momentum at the members, ByzFed with the MAD filter. Top-k needs the model's size: set update.codec. */
  "fedsov-fixed": {
    training: momentum,
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
  "hmsdfl+mean": { client: hmsdfl },
  "hmsdfl+median": { client: hmsdfl, aggregation: { rule: "coordinate-median" } },
  "hmsdfl+fltrust": {
    client: hmsdfl,
    aggregation: { rule: "fltrust" },
    server: { name: "fltrust-root" },
    serverData: { samples: 100 },
  },
  "hmsdfl+fedredefense": { client: hmsdfl, server: { name: "fedredefense" }, serverData: { samples: 100 } },
  "hmsdfl+flcert": { client: hmsdfl, server: { name: "flcert-d" } },
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
  "hmsdfl+trimean":
    "trimming needs the number of attackers: state aggregation { rule: trimmed-mean, parameters: { trim } } beside client hmsdfl",
  "hmsdfl+bulyan":
    "Bulyan needs the number of attackers: state aggregation { rule: bulyan, parameters: { byzantine } } beside client hmsdfl",
  "private-robust": "weights from a Gram matrix under secure computation are not built",
};

/** @throws ConfigError for a name that is no recipe, with the names there are, and for one that cannot be had, with the reason. */
export function recipeNamed(name: string): Tree {
  const recipe = RECIPES[name];
  if (recipe !== undefined) return recipe;
  const reason = REFUSED[name];
  if (reason !== undefined) throw new ConfigError(`The recipe ${name} has no name of its own: ${reason}.`, { name });
  throw new ConfigError(`There is no recipe "${name}"; there are ${Object.keys(RECIPES).join(", ")}.`, { name });
}
