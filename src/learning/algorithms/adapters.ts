// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { ParameterTensor } from "../layout.ts";
import type { Model } from "../model.ts";
import { partOfModel } from "./adaptersModel.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { difference } from "./vectors.ts";

/**
 * Adapters (Houlsby et al. 2019; spec B15): only the model's bottlenecks, and its last layer if asked for, are trained and sent. The rest of an
 * update is exactly 0, which costs next to nothing once coded. Adapters are part of the model, so that the mean of members' adapters is the
 * adapter of the mean model, and validators score the model that is used.
 *
 * @throws ConfigError for a model without adapters.
 */
export function adapters({ head }: ClientConfigOf<"adapters">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const tensors = adapterTensorsOf(model, head);
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const part = partOfModel(model, start, tensors);
      const run = loopOf(task, part.model, plan, part.taken(start));
      const { parameters, trainLoss } = await runLocalLoop(run);
      return { delta: difference(part.composed(parameters), start), trainLoss, local: task.local };
    },
  };
}

/**
 * Tensors of the model's adapters, and of its last layer if asked for.
 *
 * @throws ConfigError for a model without adapters.
 */
export function adapterTensorsOf({ layout, config }: Model, head: boolean): readonly ParameterTensor[] {
  if (!layout.some(({ adapter }) => adapter === true))
    throw new ConfigError(
      `The ${config.kind} model has no adapters to train. Give its configuration adapters: { width } (mlp and transformer have them), or take lora.`,
      { kind: config.kind },
    );
  return layout.filter((tensor) => tensor.adapter === true || (head && tensor.head));
}
