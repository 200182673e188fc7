// SPDX-License-Identifier: Apache-2.0

import { fedAvg } from "../../learning/algorithms/fedAvg.ts";
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
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
