// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { AuxiliaryTensor, LocalAlgorithm } from "./localAlgorithm.ts";
import { momentumOf, requireFinite, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, joined } from "./vectors.ts";

/**
 * Local SGD with heavy-ball momentum (spec B2): m ← β·m + g, w ← w − η·m. Where m starts each round is the `momentumState`:
 *
 * - `reset`: from 0, which is FedAvg;
 * - `carried`: from where the member's last round left it; it stays with the member;
 * - `averaged` (Gao, Xu & Huang, AAAI 2021; spec C5): from m̄ = Σ λ_i·m_i, which travels beside the model as `momentum`, twice the traffic. A member
 *   sends m_i − m̄, so that the mean by the rule's weights λ takes its place.
 *
 * @throws ConfigError when momentum is to outlive a round with an optimiser that has none.
 */
export function localSgd(
  { momentumState }: ClientConfigOf<"local-sgd">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  if (momentumState !== "reset" && momentumOf(plan) === undefined)
    throw new ConfigError(
      `momentumState ${momentumState} needs momentum, and the plan's optimiser is ${plan.optimiser}. Leave it out.`,
    );
  const averaged = momentumState === "averaged";
  const auxiliary: readonly AuxiliaryTensor[] = averaged ? [{ name: "momentum", shape: [model.parameterCount] }] : [];
  return {
    auxiliary,
    async train(task) {
      const { parameters: start, auxiliary: received } = receivedState(task, model, auxiliary);
      const [mean] = received;
      const carried = momentumState === "carried" ? task.local["momentum"] : mean;
      const { parameters, velocity, trainLoss } = await runLocalLoop({
        ...loopOf(task, model, plan, start),
        velocity: carried,
      });
      const delta = difference(parameters, start);
      if (velocity === undefined || momentumState === "reset") return { delta, trainLoss, local: task.local };
      if (mean === undefined) return { delta, trainLoss, local: { ...task.local, momentum: velocity.slice() } };
      requireFinite(velocity, plan);
      return { delta: joined(delta, difference(velocity, mean)), trainLoss, local: task.local };
    },
  };
}
