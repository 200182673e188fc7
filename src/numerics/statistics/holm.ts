// SPDX-License-Identifier: Apache-2.0

/**
 * Holm's adjusted p-values, in the order given: reject what is ≤ α and the chance of any false rejection stays ≤ α.
 *
 * p̃_(k) = max_{j ≤ k} min(1, (m − j + 1)·p_(j)).
 *
 * Paper: Holm 1979, "A simple sequentially rejective multiple test procedure".
 */
export function holm(pValues: readonly number[]): number[] {
  const m = pValues.length;
  const order = pValues.map((_, i) => i).sort((a, b) => (pValues[a] as number) - (pValues[b] as number) || a - b);
  const adjusted = new Array<number>(m).fill(1);
  let largest = 0;
  for (const [rank, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (m - rank) * (pValues[i] as number)));
    adjusted[i] = largest;
  }
  return adjusted;
}
