// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import { EVALUATION, type Model } from "../model.ts";
import { gather } from "./batches.ts";
import { requireSamples } from "./localLoop.ts";
import { probabilities, probabilityCotangent } from "./probabilities.ts";
import { norm } from "./vectors.ts";

/**
 * How far, to first order, parameters must move until a sample's true class is no longer the likeliest (Doc2 Fig. 1; spec B10.5): mean over
 * samples of (p_{c*} − max_{c≠c*} p_c)/‖∇_θ(p_{c*} − max_{c≠c*} p_c)‖. Negative where a sample is misclassified; samples whose gradient is shorter
 * than 1e-12 are left out.
 *
 * @returns NaN when no sample is left.
 */
export async function marginDistance(
  model: Model,
  parameters: Float32Array,
  dataset: Dataset,
  samples: number = dataset.size,
): Promise<number> {
  requireSamples(dataset);
  const { classes } = model.config;
  let [sum, counted] = [0, 0];
  for (let s = 0; s < Math.min(samples, dataset.size); s++) {
    const { features, labels } = gather(dataset, [s]);
    const label = labels[0] as number;
    const batch = { features, size: 1 };
    const { logits } = await model.forward(parameters, batch, EVALUATION);
    const p = probabilities(logits);
    let rival = label === 0 ? 1 : 0;
    for (let c = 0; c < classes; c++) if (c !== label && (p[c] as number) > (p[rival] as number)) rival = c;
    const cotangent = new Float32Array(classes);
    probabilityCotangent(p, label, 1, cotangent);
    probabilityCotangent(p, rival, -1, cotangent);
    const request = { cotangents: { logits: cotangent } };
    const length = norm((await model.valueAndGradient(parameters, batch, request, EVALUATION)).gradient);
    if (length < 1e-12) continue;
    sum += ((p[label] as number) - (p[rival] as number)) / length;
    counted += 1;
  }
  return sum / counted;
}
