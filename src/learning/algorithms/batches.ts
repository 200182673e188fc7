// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Batch } from "../model.ts";

/** Samples of a shard, with their places in it. */
export interface ShardBatch extends Batch {
  readonly labels: Int32Array;
  readonly indices: ArrayLike<number>;
}

/** Steps that a plan takes through a shard of n samples, and how many make one pass (⌈n/B⌉, or ⌊n/B⌋ without the rest). */
export interface Extent {
  readonly steps: number;
  readonly perPass: number;
}

export function extentOf(plan: TrainingPlan, samples: number): Extent {
  const whole = Math.floor(samples / plan.batchSize);
  const perPass = plan.dropLast === true && whole > 0 ? whole : Math.ceil(samples / plan.batchSize);
  return { steps: plan.localSteps ?? (plan.localEpochs as number) * perPass, perPass };
}

/**
 * The batches of a round without end: pass after pass through the shard, each in its own keyed order, every sample once per pass. With
 * `localSteps` all batches have one size and may span two passes; with `localEpochs` the last of a pass is smaller, or left out.
 */
export function* batchesOf(shard: Dataset, plan: TrainingPlan, random: Random): Generator<ShardBatch, never> {
  const { batchSize } = plan;
  if (plan.localSteps === undefined) {
    const { perPass } = extentOf(plan, shard.size);
    for (let pass = 0; ; pass++) {
      const order = random.derive("batches", pass).permutation(shard.size);
      for (let b = 0; b < perPass; b++) yield gather(shard, order.slice(b * batchSize, (b + 1) * batchSize));
    }
  }
  let [order, next, pass]: [number[], number, number] = [[], 0, 0];
  for (;;) {
    const indices: number[] = [];
    while (indices.length < batchSize) {
      if (next === order.length) {
        order = random.derive("batches", pass).permutation(shard.size);
        pass += 1;
        next = 0;
      }
      indices.push(order[next] as number);
      next += 1;
    }
    yield gather(shard, indices);
  }
}

/** These samples, in this order. */
export function gather(shard: Dataset, indices: ArrayLike<number>): ShardBatch {
  const size = indices.length;
  const { inputs } = shard;
  const features = new Float32Array(size * inputs);
  const labels = new Int32Array(size);
  for (let b = 0; b < size; b++) {
    const index = indices[b] as number;
    features.set(shard.features.subarray(index * inputs, (index + 1) * inputs), b * inputs);
    labels[b] = shard.labels[index] as number;
  }
  return { features, labels, size, indices };
}
