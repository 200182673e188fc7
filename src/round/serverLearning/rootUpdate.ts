// SPDX-License-Identifier: Apache-2.0

import { fedAvg } from "../../learning/algorithms/fedAvg.ts";
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { Random } from "../../protocol/random.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { ServerStrategy } from "./strategy.ts";
import { checkUpdates, norm } from "./vectors.ts";

/**
 * FLTrust's server update Δ_0 (Cao et al. 2021): the server trains the received model on its root set as members do, by FedAvg's local steps with
 * their plan. The rule that compares members' updates with it is the run's base aggregation.
 *
 * A root set whose distribution differs from the members' gives a reference that points elsewhere, and the rule then collapses.
 */
export async function rootUpdate(
  model: Model,
  parameters: Float32Array,
  root: Dataset,
  plan: TrainingPlan,
  random: Random,
): Promise<{ readonly delta: Float32Array; readonly trainLoss: number }> {
  return fedAvg(plan, model).train({
    round: 0,
    state: parameters.subarray(0, model.parameterCount),
    shard: root,
    random: random.derive("root"),
    local: {},
    participation: 1,
  });
}

/**
 * The root set: `size` samples of the server's own data, uniformly chosen, in the data's order.
 *
 * @throws ConfigError when the server has fewer.
 */
export function chooseRootSet(dataset: Dataset, size: number, random: Random): Dataset {
  if (!(size >= 1 && size <= dataset.size))
    throw new ConfigError(
      `A root set of ${size} samples cannot be chosen from ${dataset.size}; name a smaller size or give the server more data.`,
      {
        size,
        available: dataset.size,
      },
    );
  const { inputs, classes } = dataset;
  const chosen = random
    .derive("root set")
    .permutation(dataset.size)
    .slice(0, size)
    .sort((a, b) => a - b);
  const features = new Float32Array(size * inputs);
  for (const [b, index] of chosen.entries())
    features.set(dataset.features.subarray(index * inputs, (index + 1) * inputs), b * inputs);
  return {
    features,
    labels: Int32Array.from(chosen, (index) => dataset.labels[index] as number),
    inputs,
    classes,
    size,
  };
}

/**
 * FLTrust's server side as a strategy: trains Δ_0 and hands it to the base aggregation as the reference. Of auxiliary tensors beside the model the
 * server has no update of its own; the reference is 0 there.
 */
export function flTrustRoot(model: Model, root: Dataset, plan: TrainingPlan): ServerStrategy<undefined> {
  return {
    initial: undefined,
    async aggregate(state, { parameters, updates, random, base }) {
      const size = checkUpdates(updates, model.parameterCount);
      const { delta, trainLoss } = await rootUpdate(model, parameters, root, plan, random);
      const reference = new Float64Array(size);
      reference.set(delta);
      const result = await base(updates, reference);
      return { state, outcome: { ...result, diagnostics: { rootLoss: trainLoss, rootNorm: norm(reference) } } };
    },
  };
}
