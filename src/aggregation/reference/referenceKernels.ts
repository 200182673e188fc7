// SPDX-License-Identifier: Apache-2.0
import type { UpdateChunk } from "../../protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../../protocol/wideKernels.ts";
import { expandChunk } from "./expandChunk.ts";
import { roundedQuotient } from "./roundedQuotient.ts";

/** Coordinates that all pairs of a Gram matrix visit before the next ones: K blocks of 16 KiB stay in the cache. */
const BLOCK = 4_096;
/** Blocks whose sums float64 holds exactly: limb products are at most 2^25 and products of int16 values 2^30, times 2^22 coordinates. */
const BLOCKS_PER_FOLD = 1_024;
const INT16_MAX = 32_767;
const LIMB_BITS = 12;
const LIMB_MASK = 4_095;
/** Steps of the master grid in one of the update grid. */
const MASTER_STEPS = 65_536;

/** The wide kernels in plain TypeScript: slow beside SIMD or a GPU, and what those are compared with. */
export const referenceKernels: WideKernels = {
  device: { backend: "reference", name: "plain TypeScript", threads: 1 },
  allocate: (bytes) => ({ bytes: new Uint8Array(bytes), free: () => {} }),
  weightedSum: async (updates, weights) => weightedSum(updates.map(expandChunk), weights),
  gram: async (updates) => gram(updates.map(expandChunk)),
  squaredNorms: async (updates) => updates.map((update) => squaredNorm(expandChunk(update))),
  squaredDistances: async (updates, z) => updates.map((update) => squaredNorm(difference(update, z))),
  coordinateMedian: async (updates) => orderStatistic(updates.map(expandChunk), doubledMedian, 32_768),
  trimmedMean: async (updates, trim) =>
    orderStatistic(updates.map(expandChunk), (column) => meanOf(column, trim, column.length - trim), 1),
  meanAroundMedian: async (updates, nearest) =>
    orderStatistic(updates.map(expandChunk), (column) => meanOf(column, ...closestToMedian(column, nearest)), 1),
  close: async () => {},
};

/** Partial sums stay below 2^16 · 2^24 = 2^40: every step is an exact float64 integer. */
function weightedSum(updates: readonly Int32Array[], weights: Uint32Array): Float64Array {
  const out = new Float64Array((updates[0] as Int32Array).length);
  for (const [k, values] of updates.entries()) {
    const weight = weights[k] as number;
    if (weight === 0) continue;
    for (let j = 0; j < out.length; j++) out[j] = (out[j] as number) + weight * (values[j] as number);
  }
  return out;
}

/**
 * Exact Gram matrix. Values are split as q = h·2^12 + l with 0 ≤ l < 2^12, and ⟨x, y⟩ = hh·2^24 + (hl + lh)·2^12 + ll is recombined in BigInt;
 * one sum is enough where all |q| ≤ 32 767.
 */
function gram(updates: readonly Int32Array[]): GramMatrix {
  const count = updates.length;
  const size = (updates[0] as Int32Array).length;
  const matrix = updates.map(() => new Array<bigint>(count).fill(0n));
  const accumulate = updates.every(isInt16) ? addProducts : addLimbProducts;
  for (let start = 0; start < size; start += BLOCK * BLOCKS_PER_FOLD) {
    const stop = Math.min(size, start + BLOCK * BLOCKS_PER_FOLD);
    // For pair (i, j): hh, hl + lh, ll.
    const sums = new Float64Array(3 * count * count);
    for (let from = start; from < stop; from += BLOCK) accumulate(sums, updates, from, Math.min(stop, from + BLOCK));
    fold(matrix, sums);
  }
  return matrix;
}

function isInt16(values: Int32Array): boolean {
  return values.every((q) => q <= INT16_MAX && q >= -INT16_MAX);
}

function addProducts(sums: Float64Array, updates: readonly Int32Array[], from: number, to: number): void {
  for (const [i, x] of updates.entries()) {
    for (let k = i; k < updates.length; k++) {
      const y = updates[k] as Int32Array;
      let sum = 0;
      for (let j = from; j < to; j++) sum += (x[j] as number) * (y[j] as number);
      const at = 3 * (i * updates.length + k) + 2;
      sums[at] = (sums[at] as number) + sum;
    }
  }
}

function addLimbProducts(sums: Float64Array, updates: readonly Int32Array[], from: number, to: number): void {
  for (const [i, x] of updates.entries()) {
    for (let k = i; k < updates.length; k++) {
      const y = updates[k] as Int32Array;
      let hh = 0;
      let cross = 0;
      let ll = 0;
      for (let j = from; j < to; j++) {
        const p = x[j] as number;
        const q = y[j] as number;
        const ph = p >> LIMB_BITS;
        const pl = p & LIMB_MASK;
        const qh = q >> LIMB_BITS;
        const ql = q & LIMB_MASK;
        hh += ph * qh;
        cross += ph * ql + pl * qh;
        ll += pl * ql;
      }
      const at = 3 * (i * updates.length + k);
      sums[at] = (sums[at] as number) + hh;
      sums[at + 1] = (sums[at + 1] as number) + cross;
      sums[at + 2] = (sums[at + 2] as number) + ll;
    }
  }
}

function fold(matrix: bigint[][], sums: Float64Array): void {
  for (const [i, row] of matrix.entries()) {
    for (let k = i; k < matrix.length; k++) {
      const at = 3 * (i * matrix.length + k);
      const [hh, cross, ll] = [sums[at], sums[at + 1], sums[at + 2]].map((sum) => BigInt(sum as number)) as [
        bigint,
        bigint,
        bigint,
      ];
      const total = (row[k] as bigint) + (hh << 24n) + (cross << 12n) + ll;
      row[k] = total;
      (matrix[k] as bigint[])[i] = total;
    }
  }
}

/** |v| ≤ 2^25: float64 sums of squares are exact for 8 terms. */
function squaredNorm(values: Int32Array): bigint {
  let total = 0n;
  for (let start = 0; start < values.length; start += 8) {
    let sum = 0;
    for (const v of values.subarray(start, start + 8)) sum += v * v;
    total += BigInt(sum);
  }
  return total;
}

function difference(update: UpdateChunk, z: UpdateChunk): Int32Array {
  const center = expandChunk(z);
  return expandChunk(update).map((q, j) => q - (center[j] as number));
}

/** `scale` times a function of each coordinate's K values in ascending order (insertion sort). */
function orderStatistic(
  updates: readonly Int32Array[],
  statistic: (column: Int32Array) => number,
  scale: number,
): Float64Array {
  const column = new Int32Array(updates.length);
  return Float64Array.from(updates[0] as Int32Array, (_, j) => {
    for (const [k, values] of updates.entries()) {
      const q = values[j] as number;
      let at = k;
      for (; at > 0 && (column[at - 1] as number) > q; at--) column[at] = column[at - 1] as number;
      column[at] = q;
    }
    return scale * statistic(column);
  });
}

/** Twice the median: the sum of the two middle values, which are the same one for odd K. */
function doubledMedian(column: Int32Array): number {
  const count = column.length;
  return (column[(count - 1) >> 1] as number) + (column[count >> 1] as number);
}

/** Sums stay below 2^11 · 2^24, times 2^16: exact. */
function meanOf(column: Int32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += column[i] as number;
  return roundedQuotient(sum * MASTER_STEPS, to - from);
}

/** The `nearest` values closest to the median are neighbours in order: the window moves up while the value it would gain is closer. */
function closestToMedian(column: Int32Array, nearest: number): [from: number, to: number] {
  const middle = doubledMedian(column);
  let from = 0;
  while (
    from + nearest < column.length &&
    2 * (column[from + nearest] as number) - middle < middle - 2 * (column[from] as number)
  )
    from++;
  return [from, from + nearest];
}
