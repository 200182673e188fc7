// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { gather } from "./batches.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { momentumOf, requireFinite } from "./localLoop.ts";
import { shardGradient } from "./shardGradient.ts";
import { receivedState } from "./taskState.ts";

/**
 * FedSGD (McMahan et al. 2017; spec B1): one gradient over a share of the shard, Δ = −η·∇F_i(w^t). The share is drawn anew each round, without
 * replacement, at least one sample. The plan's number of steps, batch size and momentum have no part in it.
 *
 * @throws ConfigError with an adaptive optimiser, whose step is no multiple of the gradient.
 */
export function fedSgd({ fraction }: ClientConfigOf<"fedsgd">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  if (momentumOf(plan) === undefined)
    throw new ConfigError(`FedSGD takes a step along the gradient; ${plan.optimiser} takes another. Use sgd-momentum.`);
  return {
    auxiliary: [],
    async train(task) {
      const { parameters } = receivedState(task, model);
      const { shard, random, signal } = task;
      const count = Math.max(1, Math.round(fraction * shard.size));
      const part =
        count >= shard.size
          ? shard
          : { ...shard, ...gather(shard, random.derive("batches", 0).permutation(shard.size).slice(0, count)) };
      const { loss, gradient } = await shardGradient(model, parameters, part, signal);
      // + 0 keeps −0 out.
      const decay = plan.weightDecay ?? 0;
      const delta = gradient.map((g, i) => -plan.learningRate * (g + decay * (parameters[i] as number)) + 0);
      requireFinite(delta, plan);
      return { delta, trainLoss: loss, local: task.local };
    },
  };
}
