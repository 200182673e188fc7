// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { momentumOf, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/**
 * Local SGD with heavy-ball momentum (spec B2): m ← β·m + g, w ← w − η·m. With `carryMomentum` m goes on in the member's next round, and stays
 * with the member; without, it starts from 0 each round, which is FedAvg.
 *
 * @throws ConfigError when momentum is carried with an optimiser that has none.
 */
export function localSgd(
  { carryMomentum }: ClientConfigOf<"local-sgd">,
  plan: TrainingPlan,
  model: Model,
): LocalAlgorithm {
  if (carryMomentum && momentumOf(plan) === undefined)
    throw new ConfigError(`carryMomentum needs momentum, and the plan's optimiser is ${plan.optimiser}. Leave it out.`);
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const carried = carryMomentum ? task.local["momentum"] : undefined;
      const result = await runLocalLoop({ ...loopOf(task, model, plan, start), velocity: carried });
      const local =
        carryMomentum && result.velocity !== undefined
          ? { ...task.local, momentum: result.velocity.slice() }
          : task.local;
      return { delta: difference(result.parameters, start), trainLoss: result.trainLoss, local };
    },
  };
}
