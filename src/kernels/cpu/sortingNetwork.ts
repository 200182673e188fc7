// SPDX-License-Identifier: Apache-2.0

/** Comparators in order: the smaller of two values goes to the first place, the larger to the second. */
export type SortingNetwork = readonly (readonly [first: number, second: number])[];

/**
 * Batcher's odd-even merge sort for `count` values. A network for the next power of two sorts `count` values followed by infinite ones, which
 * never move, so comparators that reach past the end are left out.
 */
export function sortingNetwork(count: number): SortingNetwork {
  const network: [number, number][] = [];
  for (let p = 1; p < count; p *= 2) {
    for (let k = p; k >= 1; k /= 2) {
      for (let j = k % p; j + k < count; j += 2 * k) {
        for (let i = 0; i < k && i + j + k < count; i++) {
          if (Math.floor((i + j) / (2 * p)) === Math.floor((i + j + k) / (2 * p))) network.push([i + j, i + j + k]);
        }
      }
    }
  }
  return network;
}

/**
 * What of a sorting network is needed for the *set* of values at places [from, to) of the order, not for their order: the others are dropped
 * from the end, and so are comparators between two places of which only the set matters.
 */
export function selectionNetwork(count: number, from: number, to: number): SortingNetwork {
  const all = sortingNetwork(count);
  // Seen from the end: nothing reads it; it is one of the set; its very value matters.
  const state = Array.from({ length: count }, (_, place): "unread" | "set" | "value" =>
    place >= from && place < to ? "set" : "unread",
  );
  const kept: (readonly [number, number])[] = [];
  for (const comparator of all.toReversed()) {
    const [a, b] = comparator;
    if (state[a] === state[b] && state[a] !== "value") continue;
    state[a] = "value";
    state[b] = "value";
    kept.push(comparator);
  }
  return kept.reverse();
}
