// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "../protocol/errors.ts";

const CHUNK_LEVELS = 4_096;

/**
 * Indices, ascending, of the `keep` coordinates of largest magnitude; ties to the lowest index.
 *
 * Two counting passes over the 12-bit halves of |q| find the threshold exactly, in O(d) and without sorting.
 *
 * @param values grid integers, |q| < 2^24.
 * @param keep 1 … values.length.
 */
export function largestMagnitudes(values: Int32Array, keep: number): Uint32Array {
  const high = new Uint32Array(CHUNK_LEVELS);
  for (const q of values) high[Math.abs(q) >>> 12] = (high[Math.abs(q) >>> 12] as number) + 1;
  const [topHalf, aboveTop] = levelHolding(high, keep);
  const low = new Uint32Array(CHUNK_LEVELS);
  for (const q of values)
    if (Math.abs(q) >>> 12 === topHalf) low[Math.abs(q) & 4_095] = (low[Math.abs(q) & 4_095] as number) + 1;
  const [bottomHalf, aboveBottom] = levelHolding(low, keep - aboveTop);

  const threshold = topHalf * CHUNK_LEVELS + bottomHalf;
  let atThreshold = keep - aboveTop - aboveBottom;
  const indices = new Uint32Array(keep);
  let next = 0;
  for (let j = 0; j < values.length && next < keep; j++) {
    const magnitude = Math.abs(values[j] as number);
    if (magnitude > threshold || (magnitude === threshold && atThreshold-- > 0)) indices[next++] = j;
  }
  return indices;
}

/** The level that the `wanted`-th largest element lies on, and how many lie above it. */
function levelHolding(counts: Uint32Array, wanted: number): [level: number, above: number] {
  let above = 0;
  for (let level = counts.length - 1; level > 0; level--) {
    const count = counts[level] as number;
    if (above + count >= wanted) return [level, above];
    above += count;
  }
  return [0, above];
}

/** Fewest and most bytes that the gaps of `keep` indices below `size` take. */
export function gapsLengthBounds(keep: number, size: number): [min: number, max: number] {
  let digits = 1;
  for (let rest = Math.floor((size - 1) / 128); rest > 0; rest = Math.floor(rest / 128)) digits++;
  return [keep, keep * digits];
}

/** Ascending indices as unsigned LEB128 gaps: the first index, then each difference minus 1. */
export function encodeGaps(indices: Uint32Array): Uint8Array {
  const out: number[] = [];
  let expected = 0;
  for (const index of indices) {
    let gap = index - expected;
    while (gap >= 128) {
      out.push((gap % 128) + 128);
      gap = Math.floor(gap / 128);
    }
    out.push(gap);
    expected = index + 1;
  }
  return Uint8Array.from(out);
}

/**
 * Inverse of `encodeGaps`.
 *
 * @returns the indices and how many bytes they took.
 * @throws DecodeError when bytes are missing, a gap is not in its shortest form, or an index reaches `size`.
 */
export function decodeGaps(bytes: Uint8Array, keep: number, size: number): { indices: Uint32Array; length: number } {
  const indices = new Uint32Array(keep);
  let at = 0;
  let expected = 0;
  for (let i = 0; i < keep; i++) {
    let gap = 0;
    for (let place = 1; ; place *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new DecodeError(`The indices end after ${i} of ${keep}.`);
      gap += (byte % 128) * place;
      if (gap >= size || place > size)
        throw new DecodeError(`Index ${i} lies beyond the ${size} coordinates of the layout.`);
      if (byte < 128) {
        if (byte === 0 && place > 1) throw new DecodeError(`The gap before index ${i} is not in its shortest form.`);
        break;
      }
    }
    const index = expected + gap;
    if (index >= size) throw new DecodeError(`Index ${i} is ${index}, beyond the ${size} coordinates of the layout.`);
    indices[i] = index;
    expected = index + 1;
  }
  return { indices, length: at };
}
