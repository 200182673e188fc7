// SPDX-License-Identifier: Apache-2.0
import { meanLoss } from "../learning/evaluate.ts";
import type { Model } from "../learning/model.ts";
import { trainLocally } from "../learning/trainLocally.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { keyedRandom } from "../protocol/random.ts";
import type { TrainingPlan } from "../protocol/recipe/trainingConfig.ts";
import type { ClientAlgorithm } from "./clientAlgorithm.ts";

/**
 * Local SGD on the member's shard with the run's optimiser (momentum, AdaGrad or SM3), which starts anew every round (spec B2, E17).
 *
 * @param seed makes the order of batches this member's own and repeatable.
 */
export function localTraining(model: Model, shard: Dataset, plan: TrainingPlan, seed: string): ClientAlgorithm {
  return {
    async train({ run, round, globalModel }) {
      const receivedLoss = await meanLoss(model, globalModel, shard);
      const { parameters } = await trainLocally(
        model,
        globalModel,
        shard,
        plan,
        keyedRandom(seed, "training", run, round),
      );
      const delta = parameters.map((value, i) => value - (globalModel[i] as number));
      return { delta, samples: shard.size, receivedLoss };
    },
    async evaluate({ globalModel }) {
      return { samples: shard.size, receivedLoss: await meanLoss(model, globalModel, shard) };
    },
  };
}
