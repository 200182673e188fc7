// SPDX-License-Identifier: Apache-2.0
import type { Model } from "../../../src/learning/model.ts";
import { trainLocally } from "../../../src/learning/trainLocally.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import type { BaseAggregation, MemberUpdate } from "../../../src/round/serverLearning/strategy.ts";
import { difference, normalised, weightedSum } from "../../../src/round/serverLearning/vectors.ts";

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

/** What members 0 … count−1 send after honest training. */
export async function honestUpdates(model: Model, parameters: Float32Array, count: number): Promise<MemberUpdate[]> {
  const updates: MemberUpdate[] = [];
  for (let member = 0; member < count; member++) {
    const shard = clusters(`shard ${member}`, 60);
    const { parameters: trained, trainLoss } = await trainLocally(
      model,
      parameters,
      shard,
      PLAN,
      keyedRandom("member", member),
    );
    updates.push({ member, delta: difference(trained, parameters), samples: shard.size, loss: trainLoss });
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
