// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { logSumExp } from "../protocol/math.ts";
import { LearningError } from "./errors.ts";
import { EVALUATION, type Model } from "./model.ts";
import { checkLength } from "./targets.ts";

/** Samples per forward pass on engines without a fixed batch: enough to keep one core busy, small enough for its cache. */
const DEFAULT_CHUNK = 256;

/**
 * Mean cross-entropy over a dataset, in nats: what a member reports of the model it received.
 *
 * Logits come from the engine as float32; the rest is float64. NaN or Infinity if the logits are.
 */
export async function meanLoss(model: Model, parameters: Float32Array, dataset: Dataset): Promise<number> {
  const { classes } = model.config;
  let sum = 0;
  await forEachSample(model, parameters, dataset, (logits, start, label) => {
    sum += logSumExp(logits, start, classes) - (logits[start + label] as number);
  });
  return sum / dataset.size;
}

/** Share of samples whose largest logit is that of their label; among equal logits the lowest class wins. */
export async function accuracy(model: Model, parameters: Float32Array, dataset: Dataset): Promise<number> {
  const { classes } = model.config;
  let right = 0;
  await forEachSample(model, parameters, dataset, (logits, start, label) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if ((logits[start + c] as number) > (logits[start + best] as number)) best = c;
    if (best === label) right += 1;
  });
  return right / dataset.size;
}

/** Visits the samples in order with their logits, `logits[start … start+classes)`. */
export async function forEachSample(
  model: Model,
  parameters: Float32Array,
  dataset: Dataset,
  visit: (logits: Float32Array, start: number, label: number) => void,
): Promise<void> {
  const { inputs, classes } = model.config;
  if (dataset.size < 1)
    throw new LearningError("WRONG_SHAPE", "The dataset has no samples, so there is nothing to evaluate on.", {
      size: dataset.size,
    });
  if (dataset.inputs !== inputs || dataset.classes !== classes) {
    throw new LearningError(
      "WRONG_SHAPE",
      `The dataset has ${dataset.inputs} features and ${dataset.classes} classes; the model takes ${inputs} and ${classes}.`,
      {
        dataset: [dataset.inputs, dataset.classes],
        model: [inputs, classes],
      },
    );
  }
  checkLength("The dataset's labels", dataset.labels, dataset.size);
  const chunk = model.batchSize ?? DEFAULT_CHUNK;
  for (let first = 0; first < dataset.size; first += chunk) {
    const size = Math.min(chunk, dataset.size - first);
    const features = dataset.features.subarray(first * inputs, (first + size) * inputs);
    const { logits } = await model.forward(parameters, { features, size }, EVALUATION);
    for (let b = 0; b < size; b++) visit(logits, b * classes, dataset.labels[first + b] as number);
  }
}
