// SPDX-License-Identifier: Apache-2.0
import { auroc, macroAuroc } from "../../numerics/metrics/auroc.ts";
import { macroF1 } from "../../numerics/metrics/classification.ts";
import { detectionRate } from "../../numerics/metrics/detectionRate.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { logSumExp } from "../../protocol/math.ts";
import type { Figures } from "../studies/study.ts";

/** False positive rate at which the detection rate is measured. */
const FALSE_POSITIVES = 0.05;

/**
 * How well scores rank test samples (spec F9): area under the ROC curve and detection rate at 5 % false positives, of class 1 against class 0; with more
 * classes the mean over each class against the rest. And the macro-F1 of the decisions. Left out is what cannot be measured: scores that are no
 * numbers, or labels all alike.
 *
 * @param logits samples × classes, row-major.
 */
export function rankingFigures(logits: Float64Array, { labels, classes, size }: Dataset): Figures {
  if (!logits.every(Number.isFinite)) return {};
  const scores = new Float64Array(logits.length);
  const decided = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    const start = i * classes;
    // Rows are known up to a shift; log probabilities can be compared between samples.
    const shift = logSumExp(logits, start, classes);
    let best = 0;
    for (let c = 0; c < classes; c++) {
      scores[start + c] = (logits[start + c] as number) - shift;
      if ((logits[start + c] as number) > (logits[start + best] as number)) best = c;
    }
    decided[i] = best;
  }
  const against = (c: number) => ({
    // Of two classes the difference of the logits: a log probability near 0 has lost its digits.
    scores: Float64Array.from({ length: size }, (_, i) =>
      classes === 2
        ? (logits[2 * i + c] as number) - (logits[2 * i + 1 - c] as number)
        : (scores[i * classes + c] as number),
    ),
    positive: Array.from(labels, (label) => label === c),
  });
  const watched = classes === 2 ? [1] : Array.from({ length: classes }, (_, c) => c);
  const rates = watched
    .map((c) => against(c))
    .map((one) => detectionRate(one.scores, one.positive, FALSE_POSITIVES))
    .filter((rate) => !Number.isNaN(rate));
  const binary = against(1);
  const figures = {
    auroc: classes === 2 ? auroc(binary.scores, binary.positive) : macroAuroc(scores, labels, classes),
    detectionAtFpr5: rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
    macroF1: macroF1(decided, labels, classes),
  };
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}
