// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { EVALUATION, type Model } from "../model.ts";
import { requireSamples } from "./localLoop.ts";
import { addScaled } from "./vectors.ts";

/** Samples per gradient on engines without a fixed batch. */
const CHUNK = 256;

/**
 * Mean cross-entropy and its gradient over a whole dataset, ∇F_i: chunk by chunk, weighted by their samples, summed in float64. Without
 * dropout, since it stands for the whole loss.
 *
 * @throws LearningError WRONG_SHAPE for an empty dataset.
 */
export async function shardGradient(
  model: Model,
  parameters: Float32Array,
  shard: Dataset,
  signal?: AbortSignal,
): Promise<{ readonly loss: number; readonly gradient: Float32Array }> {
  requireSamples(shard);
  const chunk = model.batchSize ?? CHUNK;
  const sum = new Float64Array(model.parameterCount);
  let loss = 0;
  for (let first = 0; first < shard.size; first += chunk) {
    signal?.throwIfAborted();
    const size = Math.min(chunk, shard.size - first);
    const features = shard.features.subarray(first * shard.inputs, (first + size) * shard.inputs);
    const labels = shard.labels.subarray(first, first + size);
    const part = await model.valueAndGradient(parameters, { features, labels, size }, {}, EVALUATION);
    loss += (part.loss * size) / shard.size;
    addScaled(sum, size / shard.size, part.gradient);
  }
  return { loss, gradient: Float32Array.from(sum) };
}
