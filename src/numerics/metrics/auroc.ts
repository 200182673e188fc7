// SPDX-License-Identifier: Apache-2.0

/**
 * Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting half.
 * (R₊ − n₊(n₊+1)/2)/(n₊n₋) with mid-ranks.
 *
 * @param positive whether each score belongs to a positive.
 * @returns NaN when only one kind occurs.
 * @throws RangeError when the lengths differ or a score is NaN.
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<boolean>): number {
  if (scores.length !== positive.length) throw new RangeError(`${scores.length} scores for ${positive.length} labels.`);
  const order = Array.from({ length: scores.length }, (_, i) => i);
  for (const i of order) if (Number.isNaN(scores[i])) throw new RangeError(`Score ${i} is NaN, which has no rank.`);
  order.sort((a, b) => (scores[a] as number) - (scores[b] as number));
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && scores[order[end] as number] === scores[order[start] as number]) end += 1;
    const midRank = (start + 1 + end) / 2;
    for (let at = start; at < end; at++) {
      if (!positive[order[at] as number]) continue;
      positives += 1;
      rankSum += midRank;
    }
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (order.length - positives));
}

/**
 * Macro one-vs-rest: the mean area over the classes that occur among the labels beside others.
 *
 * @param scores samples × classes, row-major.
 * @returns NaN when only one class occurs.
 */
export function macroAuroc(scores: ArrayLike<number>, labels: ArrayLike<number>, classes: number): number {
  const samples = labels.length;
  if (scores.length !== samples * classes)
    throw new RangeError(`${scores.length} scores for ${samples} samples of ${classes} classes.`);
  const areas: number[] = [];
  for (let c = 0; c < classes; c++) {
    const column = Float64Array.from({ length: samples }, (_, i) => scores[i * classes + c] as number);
    const area = auroc(
      column,
      Array.from(labels, (label) => label === c),
    );
    if (!Number.isNaN(area)) areas.push(area);
  }
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}
