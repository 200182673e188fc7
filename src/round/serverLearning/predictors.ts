// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../learning/errors.ts";
import { forEachSample } from "../../learning/evaluate.ts";
import type { Model } from "../../learning/model.ts";
import { median } from "../../numerics/quantiles.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { exp, logSumExp } from "../../protocol/math.ts";

/**
 * Models of any architecture side by side: what is known of each is what it says about the same samples. Architectures must agree on inputs and
 * classes alone.
 */
export interface Predictor {
  readonly model: Model;
  readonly parameters: Float32Array;
}

/** Logits of every sample, size × classes. */
export async function logitsOf({ model, parameters }: Predictor, dataset: Dataset): Promise<Float64Array> {
  const { classes } = model.config;
  const all = new Float64Array(dataset.size * classes);
  let sample = 0;
  await forEachSample(model, parameters, dataset, (logits, start) => {
    for (let c = 0; c < classes; c++) all[sample * classes + c] = logits[start + c] as number;
    sample += 1;
  });
  return all;
}

/** How several models' logits become one. The median of each coordinate bears a minority of liars; the mean bears none. */
export type LogitCombination = "mean" | "median";

/**
 * One matrix of logits from several. Softmax knows logits up to a shift of each row, and so do means; medians do not, so rows are centred on 0
 * before medians are taken.
 *
 * @param logits one matrix per model, all of one shape.
 * @throws LearningError WRONG_SHAPE for none, or matrices of different sizes.
 */
export function combineLogits(logits: readonly Float64Array[], classes: number, how: LogitCombination): Float64Array {
  const length = logits[0]?.length;
  if (length === undefined || logits.some((matrix) => matrix.length !== length))
    throw new LearningError(
      "WRONG_SHAPE",
      "Logits of at least one model are combined, and all have the same samples and classes.",
      { lengths: logits.map((matrix) => matrix.length) },
    );
  const rows = how === "median" ? logits.map((matrix) => centredRows(matrix, classes)) : logits;
  const column = new Float64Array(logits.length);
  return Float64Array.from({ length }, (_, j) => {
    for (const [k, matrix] of rows.entries()) column[k] = matrix[j] as number;
    return how === "median" ? median(column) : column.reduce((sum, value) => sum + value, 0) / column.length;
  });
}

function centredRows(matrix: Float64Array, classes: number): Float64Array {
  const centred = matrix.slice();
  for (let start = 0; start < matrix.length; start += classes) {
    const row = centred.subarray(start, start + classes);
    const middle = row.reduce((sum, value) => sum + value, 0) / classes;
    for (let c = 0; c < classes; c++) row[c] = (row[c] as number) - middle;
  }
  return centred;
}

/** Rows of probabilities e^z / Σ e^z. */
export function softmaxRows(logits: ArrayLike<number>, classes: number): Float64Array {
  const probabilities = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const normaliser = logSumExp(logits, start, classes);
    for (let c = start; c < start + classes; c++) probabilities[c] = exp((logits[c] as number) - normaliser);
  }
  return probabilities;
}

/** The largest entry of each row; among equals the lowest class. */
export function argmaxRows(matrix: ArrayLike<number>, classes: number): Int32Array {
  return Int32Array.from({ length: matrix.length / classes }, (_, b) => {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if ((matrix[b * classes + c] as number) > (matrix[b * classes + best] as number)) best = c;
    return best;
  });
}

/** Share of samples with the right label. */
export function shareRight(predicted: ArrayLike<number>, labels: ArrayLike<number>): number {
  let right = 0;
  for (let b = 0; b < labels.length; b++) if (predicted[b] === labels[b]) right += 1;
  return right / labels.length;
}

/** What a dataset says about several models: each alone, and all of them with their logits combined. */
export interface HeterogeneousEvaluation {
  readonly accuracies: readonly number[];
  /** Mean cross-entropies in nats. */
  readonly losses: readonly number[];
  readonly ensembleAccuracy: number;
}

/** Each predictor and their ensemble on one dataset. */
export async function evaluatePredictors(
  predictors: readonly Predictor[],
  dataset: Dataset,
  how: LogitCombination = "mean",
): Promise<HeterogeneousEvaluation> {
  const { classes, labels } = dataset;
  const logits: Float64Array[] = [];
  for (const predictor of predictors) logits.push(await logitsOf(predictor, dataset));
  return {
    accuracies: logits.map((matrix) => shareRight(argmaxRows(matrix, classes), labels)),
    losses: logits.map((matrix) => crossEntropy(matrix, labels, classes)),
    ensembleAccuracy: shareRight(argmaxRows(combineLogits(logits, classes, how), classes), labels),
  };
}

/** Mean of ln Σ e^z − z_label, in nats. */
export function crossEntropy(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  let sum = 0;
  for (let b = 0; b < labels.length; b++)
    sum += logSumExp(logits, b * classes, classes) - (logits[b * classes + (labels[b] as number)] as number);
  return sum / labels.length;
}
