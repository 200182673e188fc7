// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../protocol/layout.ts";
import type { VectorSource } from "./eachSpan.ts";

/** Consecutive coordinates of tensors that have the same grid and the same column of weights. */
export interface Span {
  readonly offset: number;
  readonly size: number;
  readonly group: number;
  /** F_max − F: a product of two values counts 4^shift times in units 2^-2F_max. */
  readonly shift: number;
}

/**
 * A layout cut into spans of at most `limit` coordinates, in order. Neighbouring tensors alike in grid and group are one stretch, so a model
 * of many small tensors is not many small calls.
 */
export function spansOf(layout: ModelLayout, limit: number): Span[] {
  const stretches: { offset: number; size: number; group: number; shift: number }[] = [];
  for (const { offset, size, group, fractionBits } of layout.tensors) {
    const shift = layout.maxFractionBits - fractionBits;
    const last = stretches.at(-1);
    if (last !== undefined && last.group === group && last.shift === shift) last.size += size;
    else stretches.push({ offset, size, group, shift });
  }
  return stretches.flatMap(({ offset, size, group, shift }) =>
    Array.from({ length: Math.ceil(size / limit) }, (_, i) => ({
      offset: offset + i * limit,
      size: Math.min(limit, size - i * limit),
      group,
      shift,
    })),
  );
}

/** A chunk of plain int32 values of the protocol's chunk size, 1 MiB. */
const LONGEST = 262_144;
const SHORTEST = 4_096;
/** What a coordinate of a result takes: increment and movement; before and after, the master and a server optimiser's two moments. */
const RESULT_BYTES = 64;
/** What a coordinate of a vector formed from updates takes. */
const VECTOR_BYTES = 4;

/**
 * Coordinates per span so that two spans of all updates' chunks stay within `memoryBytes`, about.
 *
 * @param formsVectors whether a new vector is formed from each update while a span is combined.
 */
export function spanLimit(updates: readonly VectorSource[], memoryBytes: number, formsVectors = false): number {
  let perCoordinate = RESULT_BYTES + (formsVectors ? VECTOR_BYTES * updates.length : 0);
  for (const update of updates) perCoordinate += (2 * update.bytesPerChunk(LONGEST)) / LONGEST;
  return Math.max(SHORTEST, Math.min(LONGEST, Math.floor(memoryBytes / perCoordinate)));
}
