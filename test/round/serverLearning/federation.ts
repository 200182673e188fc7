// SPDX-License-Identifier: Apache-2.0

import { fedAvg } from "../../../src/learning/algorithms/fedAvg.ts";
import type { Model } from "../../../src/learning/model.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import type { BaseAggregation, MemberUpdate } from "../../../src/round/serverLearning/strategy.ts";
import { normalised, weightedSum } from "../../../src/round/serverLearning/vectors.ts";

/** A federation small enough for a test: three Gaussian classes in four dimensions, a perceptron, a few members. */

export const CONFIG: ModelConfig = { kind: "mlp", inputs: 4, hidden: [8], classes: 3, activation: "relu" };
export const PLAN = { localSteps: 10, batchSize: 8, learningRate: 0.1, momentum: 0.9 };

/** Classes along the first three axes, a fourth that says nothing. */
export function clusters(seed: string, size: number, distance = 3): Dataset {
  const random = keyedRandom("clusters", seed);
  const labels = Int32Array.from({ length: size }, () => random.integerBelow(3));
  const features = Float32Array.from(
    { length: size * 4 },
    (_, i) => random.normal() + (labels[Math.floor(i / 4)] === i % 4 ? distance : 0),
  );
  return { features, labels, inputs: 4, classes: 3, size };
}

/** FedAvg's local steps. */
export function train(model: Model, state: Float32Array, shard: Dataset, localSteps: number, member = 0) {
  const random = keyedRandom("member", member);
  return fedAvg({ ...PLAN, localSteps }, model).train({ round: 1, state, shard, random, local: {}, participation: 1 });
}

/** What members 0 … count−1 send after honest training. */
export async function honestUpdates(model: Model, parameters: Float32Array, count: number): Promise<MemberUpdate[]> {
  const updates: MemberUpdate[] = [];
  for (let member = 0; member < count; member++) {
    const shard = clusters(`shard ${member}`, 60);
    const { delta, trainLoss } = await train(model, parameters, shard, PLAN.localSteps, member);
    updates.push({ member, delta: Float64Array.from(delta), samples: shard.size, loss: trainLoss });
  }
  return updates;
}

/** FedAvg. */
export const mean: BaseAggregation = async (updates) => {
  const weights = normalised(updates.map(({ samples }) => samples));
  return {
    delta: weightedSum(
      updates.map(({ delta }) => delta),
      weights,
    ),
    kept: updates.map(() => true),
    weights,
  };
};

export function update(member: number, delta: readonly number[], samples = 1): MemberUpdate {
  return { member, delta: Float64Array.from(delta), samples };
}
