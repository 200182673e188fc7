// SPDX-License-Identifier: Apache-2.0

/** Puts the smaller of two places' values first; `low` and `high` say which of its outputs anything later needs. */
export interface Comparator {
  readonly first: number;
  readonly second: number;
  readonly low: boolean;
  readonly high: boolean;
}

/**
 * Batcher's merge exchange for any number of places (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M), without the comparators
 * on which none of the `needed` places depends.
 */
export function sortingNetwork(places: number, needed: readonly number[]): Comparator[] {
  const live = new Set(needed);
  const kept: Comparator[] = [];
  for (const [first, second] of mergeExchange(places).reverse()) {
    const low = live.has(first);
    const high = live.has(second);
    if (!low && !high) continue;
    kept.push({ first, second, low, high });
    live.add(first).add(second);
  }
  return kept.reverse();
}

function mergeExchange(places: number): [first: number, second: number][] {
  const pairs: [number, number][] = [];
  let top = 1;
  while (2 * top < places) top *= 2;
  for (let p = top; p > 0; p >>= 1) {
    let q = top;
    let r = 0;
    let distance = p;
    while (true) {
      for (let i = 0; i < places - distance; i++) if ((i & p) === r) pairs.push([i, i + distance]);
      if (q === p) break;
      distance = q - p;
      q >>= 1;
      r = p;
    }
  }
  return pairs;
}
