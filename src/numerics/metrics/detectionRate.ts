// SPDX-License-Identifier: Apache-2.0

/**
 * The largest share of positives that a threshold on the scores finds while at most `falsePositiveRate` of the negatives lie above it too: the true
 * positive rate at a bounded false positive rate. Equal scores fall on the same side.
 *
 * @param positive whether each score belongs to a positive.
 * @returns NaN when only one kind occurs.
 * @throws RangeError when the lengths differ or a score is NaN.
 */
export function detectionRate(
  scores: ArrayLike<number>,
  positive: ArrayLike<boolean>,
  falsePositiveRate: number,
): number {
  if (scores.length !== positive.length) throw new RangeError(`${scores.length} scores for ${positive.length} labels.`);
  const order = Array.from({ length: scores.length }, (_, i) => i);
  for (const i of order) if (Number.isNaN(scores[i])) throw new RangeError(`Score ${i} is NaN, which has no rank.`);
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const positives = order.filter((i) => positive[i]).length;
  const negatives = order.length - positives;
  let [found, falseAlarms, best] = [0, 0, 0];
  for (const [place, i] of order.entries()) {
    if (positive[i]) found += 1;
    else falseAlarms += 1;
    const next = order[place + 1];
    if (falseAlarms / negatives > falsePositiveRate) break;
    if (next === undefined || scores[next] !== scores[i]) best = found;
  }
  return negatives === 0 ? Number.NaN : best / positives;
}
