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

/** Losses of samples with their labels. */
export interface LabelledLosses {
  readonly losses: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/**
 * The same area, class by class, weighed by the member's samples: a member with other classes than the rest is not told by its classes, which the
 * model need not have learned from it. Classes without held-out samples are left out.
 *
 * @returns the area (NaN where no class has both), and its standard error if it were ½.
 */
export function matchedAuroc(
  member: LabelledLosses,
  heldOut: LabelledLosses,
): { readonly area: number; readonly standardError: number } {
  const [ours, theirs] = [byClass(member), byClass(heldOut)];
  let [samples, sum, variance] = [0, 0, 0];
  for (const [label, losses] of ours) {
    const others = theirs.get(label);
    if (others === undefined) continue;
    samples += losses.length;
    sum += losses.length * membershipAuroc(losses, others);
    variance += (losses.length ** 2 * (losses.length + others.length + 1)) / (12 * losses.length * others.length);
  }
  return { area: sum / samples, standardError: Math.sqrt(variance) / samples };
}

function byClass({ losses, labels }: LabelledLosses): Map<number, number[]> {
  const classes = new Map<number, number[]>();
  for (let i = 0; i < losses.length; i++) {
    const label = labels[i] as number;
    const found = classes.get(label) ?? [];
    found.push(losses[i] as number);
    classes.set(label, found);
  }
  return classes;
}
