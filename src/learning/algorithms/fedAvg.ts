// SPDX-License-Identifier: Apache-2.0
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/** FedAvg (McMahan et al. 2017): the plan's local steps from the received model; Δ = w_i − w^t (spec B2, B3). */
export function fedAvg(plan: TrainingPlan, model: Model): LocalAlgorithm {
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start));
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}
