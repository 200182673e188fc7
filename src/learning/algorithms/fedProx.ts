// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { extentOf } from "./batches.ts";
import type { LocalAlgorithm, LocalTask } from "./localAlgorithm.ts";
import { runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/**
 * FedProx (Li et al. 2020; spec B4): F_i(w) + μ/2·‖w − w^t‖², so μ(w − w^t) is added to every gradient. Partial work counts: a member that
 * manages only some of the steps sends what it has (`maxSteps`). With `partialWork` a member whose resource is below 1 takes that share of the
 * plan's steps, rounded down, and at least one; one that does not say its resource takes all.
 *
 * @throws ConfigError where μ·η ≥ 1: the proximal step alone would leap over w^t and oscillate.
 */
export function fedProx(
  { mu, partialWork }: ClientConfigOf<"fedprox">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  if (mu * plan.learningRate >= 1)
    throw new ConfigError(
      `FedProx with μ = ${mu} and learning rate ${plan.learningRate} oscillates about the received model: keep their product below 1.`,
      { mu, learningRate: plan.learningRate },
    );
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const correct = (gradient: Float32Array, w: Float32Array): void => addProximal(gradient, mu, w, start);
      const manageable = partialWork ? partOf(task, plan) : task.maxSteps;
      const run = loopOf({ ...task, maxSteps: manageable }, model, plan, start, { correct });
      const { parameters, trainLoss } = await runLocalLoop(run);
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}

/** Most steps of a member that manages a round's work only in part. */
function partOf({ resource = 1, maxSteps = Infinity, shard }: LocalTask, plan: TrainingPlan): number {
  const { steps } = extentOf(plan, shard.size);
  return Math.min(maxSteps, Math.max(1, Math.floor(Math.min(resource, 1) * steps)));
}

/** gradient ← gradient + μ(w − anchor). */
export function addProximal(gradient: Float32Array, mu: number, w: Float32Array, anchor: ArrayLike<number>): void {
  for (let i = 0; i < gradient.length; i++)
    gradient[i] = (gradient[i] as number) + mu * ((w[i] as number) - (anchor[i] as number));
}
