// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, momentumOf, requireFinite, runLocalLoop } from "./localLoop.ts";
import { shardGradient } from "./shardGradient.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, joined } from "./vectors.ts";

/**
 * SCAFFOLD (Karimireddy et al. 2020; spec B5): w ← w − η(∇F_i(w) − c_i + c). Afterwards option II sets c_i⁺ = c_i − c + (w^t − w_i)/(k·η), k the
 * steps taken, and option I c_i⁺ = ∇F_i(w^t) over the whole shard.
 *
 * The server's c travels beside the model. A member sends (K/N)·(c_i⁺ − c_i), so that the mean over a cohort of K adds (1/N)·Σ δc_i; c_i stays
 * with the member, and moves only if its update was kept. One rule weighs all of an update: under a weighted mean c is Σ (n_i/n)·c_i, for which
 * the corrections of the weighted members cancel as they do in the paper for equal ones (on S-MIX, Dirichlet 0.1, more even than equal weights).
 *
 * Convolutional networks can run away: where no point near by has the gradient c_i − c, local steps do not come to rest. On LeNet it ended below
 * FedAvg here (docs/experiments.md), as others have found.
 *
 * @throws ConfigError for option II with momentum, an adaptive optimiser or weight decay: the way walked would not be k·η mean gradients.
 */
export function scaffold({ option }: ClientConfigOf<"scaffold">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const plain = momentumOf(plan) === 0 && (plan.weightDecay ?? 0) === 0;
  if (option === "II" && !plain)
    throw new ConfigError(
      "SCAFFOLD's option II reads the mean gradient from the way walked, which holds for plain SGD: set momentum to 0 and leave weightDecay out, or take option I.",
    );
  const size = model.parameterCount;
  const auxiliary: readonly AuxiliaryTensor[] = [{ name: "scaffold.control", shape: [size] }];
  return {
    auxiliary,
    async train(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const control = received[0] as Float32Array;
      const own = task.local["control"] ?? new Float32Array(size);
      const correct: LocalHooks["correct"] = (gradient) => {
        for (let i = 0; i < size; i++)
          gradient[i] = (gradient[i] as number) - (own[i] as number) + (control[i] as number);
      };
      const result = await runLocalLoop(loopOf(task, model, plan, start, { correct }));
      const delta = difference(result.parameters, start);
      const next =
        option === "I"
          ? (await shardGradient(model, start, task.shard, task.signal)).gradient
          : variateOf(own, control, delta, result.steps * plan.learningRate);
      requireFinite(next, plan);
      const change = difference(next, own).map((value) => value * task.participation + 0);
      return { delta: joined(delta, change), trainLoss: result.trainLoss, local: { ...task.local, control: next } };
    },
  };
}

/** c_i − c + (w^t − w_i)/(k·η). */
function variateOf(own: Float32Array, control: Float32Array, delta: Float32Array, length: number): Float32Array {
  const next = new Float32Array(own.length);
  for (let i = 0; i < next.length; i++)
    next[i] = (own[i] as number) - (control[i] as number) - (delta[i] as number) / length;
  return next;
}
