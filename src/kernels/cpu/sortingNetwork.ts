// SPDX-License-Identifier: Apache-2.0

/** Comparators in order: the smaller of two values goes to the first place, the larger to the second. */
export type SortingNetwork = readonly (readonly [first: number, second: number])[];

/** Consecutive comparators of a network. */
export interface NetworkPiece {
  /**
   * Of 8 places that a kernel holds in registers: `sort`, all that there is on 8 neighbouring places until then; `merge`, of two times 4 sorted
   * ones. Otherwise comparators one by one.
   */
  readonly kind: "sort" | "merge" | "comparators";
  readonly places: readonly number[];
  readonly comparators: SortingNetwork;
}

const EIGHT = 8;
/** Of 19 comparators that sort and 9 that merge 8 places, so many must be needed for a piece to be done as one. */
const WORTH = { sort: 8, merge: 5 } as const;

/**
 * Batcher's odd-even merge sort for `count` values. A network for the next power of two sorts `count` values followed by infinite ones, which
 * never move, so comparators that reach past the end are left out.
 */
export function sortingNetwork(count: number): NetworkPiece[] {
  let length = 1;
  while (length < count) length *= 2;
  const pieces: NetworkPiece[] = [];
  sort(pieces, 0, length, count);
  return pieces;
}

/**
 * What of a sorting network is needed for the *set* of values at places [from, to) of the order, not for their order: the others are dropped
 * from the end, and so are comparators between two places of which only the set matters. Some that are not needed stay within pieces that are
 * done as one; they move values about where nobody looks.
 */
export function selectionNetwork(count: number, from: number, to: number): NetworkPiece[] {
  // Seen from the end: nothing reads it; it is one of the set; its very value matters.
  const state = Array.from({ length: count }, (_, place): "unread" | "set" | "value" =>
    place >= from && place < to ? "set" : "unread",
  );
  const kept: NetworkPiece[] = [];
  for (const piece of sortingNetwork(count).toReversed()) {
    const needed: (readonly [number, number])[] = [];
    for (const comparator of piece.comparators.toReversed()) {
      const [a, b] = comparator;
      if (state[a] === state[b] && state[a] !== "value") continue;
      state[a] = "value";
      state[b] = "value";
      needed.push(comparator);
    }
    if (piece.kind !== "comparators" && needed.length >= WORTH[piece.kind]) kept.push(piece);
    else if (needed.length > 0) kept.push({ kind: "comparators", places: [], comparators: needed.reverse() });
  }
  return kept.reverse();
}

/** Appends what sorts places [low, low + length), of which those below `count` exist. */
function sort(pieces: NetworkPiece[], low: number, length: number, count: number): void {
  if (length < 2 || low >= count) return;
  const own: NetworkPiece[] = [];
  sort(own, low, length / 2, count);
  sort(own, low + length / 2, length / 2, count);
  merge(own, low, length, 1, count);
  if (length === EIGHT && low + length <= count) {
    const places = Array.from({ length: EIGHT }, (_, i) => low + i);
    pieces.push({ kind: "sort", places, comparators: own.flatMap(({ comparators }) => comparators) });
  } else pieces.push(...own);
}

/** Appends what merges the two sorted halves of places low, low + step, …, below low + span. */
function merge(pieces: NetworkPiece[], low: number, span: number, step: number, count: number): void {
  const double = 2 * step;
  const own: NetworkPiece[] = [];
  const comparators: [number, number][] = [];
  if (double < span) {
    merge(own, low, span, double, count);
    merge(own, low + step, span, double, count);
    for (let i = low + step; i + step < low + span; i += double) if (i + step < count) comparators.push([i, i + step]);
  } else if (low + step < count) comparators.push([low, low + step]);
  if (comparators.length > 0) own.push({ kind: "comparators", places: [], comparators });
  if (span === EIGHT * step && low + (EIGHT - 1) * step < count) {
    const places = Array.from({ length: EIGHT }, (_, i) => low + i * step);
    pieces.push({ kind: "merge", places, comparators: own.flatMap((piece) => piece.comparators) });
  } else pieces.push(...own);
}

const OPERATION = { comparators: 0, sort: 1, merge: 2, copy: 3 } as const;
/** A strip's row: 16 values of int32 (assembly/orderStatistics.ts). */
const ROW_BYTES = 64;

/**
 * A network as the kernel reads it (assembly/orderStatistics.ts): level by level, so that what comes next does not wait for what has just been
 * stored, which takes longer than a comparator.
 */
export function networkProgram(network: readonly NetworkPiece[], count: number): Uint32Array {
  const levels: { readonly whole: NetworkPiece[]; readonly comparators: (readonly [number, number])[] }[] = [];
  const depth = new Array<number>(count).fill(0);
  const levelAfter = (places: readonly number[]): (typeof levels)[number] => {
    const level = Math.max(...places.map((place) => depth[place] as number));
    for (const place of places) depth[place] = level + 1;
    levels[level] ??= { whole: [], comparators: [] };
    return levels[level];
  };
  for (const piece of network) {
    if (piece.kind !== "comparators") levelAfter(piece.places).whole.push(piece);
    else for (const comparator of piece.comparators) levelAfter(comparator).comparators.push(comparator);
  }
  const sorted = new Set(network.filter(({ kind }) => kind === "sort").flatMap(({ places }) => places));
  const words: number[] = [];
  for (let place = 0; place < count; place++) if (!sorted.has(place)) words.push(OPERATION.copy, place);
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) words.push(OPERATION.comparators, run.length / 2, ...run);
    run = [];
  };
  for (const { whole, comparators } of levels) {
    if (whole.length > 0) flush();
    for (const { kind, places } of whole) {
      if (kind === "sort") words.push(OPERATION.sort, places[0] as number);
      else words.push(OPERATION.merge, ...places.map((place) => ROW_BYTES * place));
    }
    run.push(...comparators.flat().map((place) => ROW_BYTES * place));
  }
  flush();
  return Uint32Array.from(words);
}
