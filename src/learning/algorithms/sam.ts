// SPDX-License-Identifier: Apache-2.0
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference, moved, norm } from "./vectors.ts";

/**
 * Sharpness-aware minimisation (Foret et al. 2021; spec B19, Doc0 eq. (17)): the gradient at w + ρ·∇F/‖∇F‖ on the same batch. A zero gradient
 * stays as it is.
 */
export function sam({ rho }: ClientConfigOf<"sam">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const gradient: LocalHooks["gradient"] = async ({ parameters, batch, mode }) => {
    const here = await model.valueAndGradient(parameters, batch, {}, mode);
    const length = norm(here.gradient);
    if (length < 1e-12) return here;
    const worst = await model.valueAndGradient(moved(parameters, rho / length, here.gradient), batch, {}, mode);
    return { loss: here.loss, gradient: worst.gradient };
  };
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, { gradient }));
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}
