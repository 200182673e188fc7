// SPDX-License-Identifier: Apache-2.0

/** Share of predictions that equal the label; NaN for no samples. */
export function accuracy(predicted: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireSameLength(predicted, labels);
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (predicted[i] === labels[i]) right += 1;
  return right / labels.length;
}

/**
 * The unweighted mean of F1 = 2TP/(2TP + FP + FN) over the classes that occur as label or prediction; NaN for no samples.
 */
export function macroF1(predicted: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  requireSameLength(predicted, labels);
  const hits = new Float64Array(classes);
  const mentions = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    const guess = predicted[i] as number;
    mentions[label] = (mentions[label] as number) + 1;
    mentions[guess] = (mentions[guess] as number) + 1;
    if (label === guess) hits[label] = (hits[label] as number) + 1;
  }
  let sum = 0;
  let occurring = 0;
  for (let c = 0; c < classes; c++) {
    if (mentions[c] === 0) continue;
    occurring += 1;
    sum += (2 * (hits[c] as number)) / (mentions[c] as number);
  }
  return sum / occurring;
}

function requireSameLength(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) throw new RangeError(`${a.length} predictions for ${b.length} labels.`);
}
