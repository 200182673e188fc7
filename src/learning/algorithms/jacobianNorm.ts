// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { EVALUATION, type Model } from "../model.ts";
import { gather } from "./batches.ts";
import { requireSamples } from "./localLoop.ts";
import { norm } from "./vectors.ts";

/**
 * (1/S)Σ‖J^α‖_F² over the first S samples, exactly: one gradient per sample and class, of its logit with respect to all parameters (spec B10).
 *
 * @param samples S; all where it is not below their number.
 */
export async function jacobianNorm(
  model: Model,
  parameters: Float32Array,
  dataset: Dataset,
  samples: number = dataset.size,
): Promise<number> {
  requireSamples(dataset);
  const { classes } = model.config;
  const count = Math.min(samples, dataset.size);
  let sum = 0;
  for (let s = 0; s < count; s++) {
    const { features } = gather(dataset, [s]);
    for (let c = 0; c < classes; c++) {
      const logits = new Float32Array(classes);
      logits[c] = 1;
      const batch = { features, size: 1 };
      const { gradient } = await model.valueAndGradient(parameters, batch, { cotangents: { logits } }, EVALUATION);
      const length = norm(gradient);
      sum += length * length;
    }
  }
  return sum / count;
}
