// SPDX-License-Identifier: Apache-2.0
import { forEachSample } from "../../learning/evaluate.ts";
import type { Model } from "../../learning/model.ts";
import { auroc } from "../../numerics/metrics/auroc.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { logSumExp } from "../../protocol/math.ts";

/** Cross-entropy of each sample, in order, nats. */
export async function sampleLosses(model: Model, parameters: Float32Array, dataset: Dataset): Promise<Float64Array> {
  const losses: number[] = [];
  await forEachSample(model, parameters, dataset, (logits, start, label) => {
    losses.push(logSumExp(logits, start, model.config.classes) - (logits[start + label] as number));
  });
  return Float64Array.from(losses);
}

/**
 * How well a loss threshold tells a member's samples from samples nobody trained on: the area under the ROC of −loss. ½ is chance; a model that
 * has forgotten the member stays near it.
 *
 * Paper: Yeom et al. 2018, "Privacy risk in machine learning: analyzing the connection to overfitting".
 */
export function membershipAuroc(memberLosses: ArrayLike<number>, heldOutLosses: ArrayLike<number>): number {
  const scores = Float64Array.of(
    ...Array.from(memberLosses, (loss) => -loss),
    ...Array.from(heldOutLosses, (loss) => -loss),
  );
  return auroc(
    scores,
    Array.from(scores, (_, i) => i < memberLosses.length),
  );
}
