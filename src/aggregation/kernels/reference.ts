// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../../protocol/layout.ts";
import type { GramMatrix, WideKernels } from "./kernels.ts";

/** Coordinates that all pairs of a Gram matrix visit before the next ones: K blocks of 16 KiB stay in the cache. */
const BLOCK = 4_096;
/** Blocks whose sums float64 holds exactly: limb products are at most 2^25 and products of int16 values 2^30, times 2^22 coordinates. */
const BLOCKS_PER_FOLD = 1_024;
const INT16_MAX = 32_767;
const LIMB_BITS = 12;
const LIMB_MASK = 4_095;

/** The wide kernels in plain TypeScript: slow beside SIMD or a GPU, and what those are compared with. */
export const referenceKernels: WideKernels = {
  weightedSum: async (updates, weights, layout) => weightedSum(updates, weights, layout),
  gram: async (updates, layout) => gram(updates, layout),
  coordinateMedian: async (updates, layout) => coordinateMedian(updates, layout),
};

/** Partial sums stay below 2^16 · 2^24 = 2^40: every step is an exact float64 integer. */
function weightedSum(updates: readonly Int32Array[], weights: Uint32Array, layout: ModelLayout): Float64Array {
  const out = new Float64Array(layout.size);
  for (const { offset, size, group } of layout.tensors) {
    for (const [k, values] of updates.entries()) {
      const weight = weights[k * layout.groups + group] as number;
      if (weight === 0) continue;
      for (let j = offset; j < offset + size; j++) out[j] = (out[j] as number) + weight * (values[j] as number);
    }
  }
  return out;
}

/**
 * Exact Gram matrix. Values are split as q = h·2^12 + l with 0 ≤ l < 2^12, and ⟨x, y⟩ = hh·2^24 + (hl + lh)·2^12 + ll is recombined in BigInt;
 * one sum is enough where all |q| ≤ 32 767. A tensor with smaller F counts 4^(F_max−F) times.
 */
function gram(updates: readonly Int32Array[], layout: ModelLayout): GramMatrix {
  const count = updates.length;
  const matrix = updates.map(() => new Array<bigint>(count).fill(0n));
  const accumulate = updates.every(isInt16) ? addProducts : addLimbProducts;
  for (const tensor of layout.tensors) {
    const shift = BigInt(2 * (layout.maxFractionBits - tensor.fractionBits));
    const end = tensor.offset + tensor.size;
    for (let start = tensor.offset; start < end; start += BLOCK * BLOCKS_PER_FOLD) {
      const stop = Math.min(end, start + BLOCK * BLOCKS_PER_FOLD);
      // For pair (i, j): hh, hl + lh, ll.
      const sums = new Float64Array(3 * count * count);
      for (let from = start; from < stop; from += BLOCK) accumulate(sums, updates, from, Math.min(stop, from + BLOCK));
      fold(matrix, sums, shift);
    }
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

function fold(matrix: bigint[][], sums: Float64Array, shift: bigint): void {
  for (const [i, row] of matrix.entries()) {
    for (let k = i; k < matrix.length; k++) {
      const at = 3 * (i * matrix.length + k);
      const [hh, cross, ll] = [sums[at], sums[at + 1], sums[at + 2]].map((sum) => BigInt(sum as number)) as [
        bigint,
        bigint,
        bigint,
      ];
      const total = (row[k] as bigint) + (((hh << 24n) + (cross << 12n) + ll) << shift);
      row[k] = total;
      (matrix[k] as bigint[])[i] = total;
    }
  }
}

/** Insertion sort of each column of K values; the sum of the two middle ones times 2^15 is twice a middle one times 2^16. */
function coordinateMedian(updates: readonly Int32Array[], layout: ModelLayout): Float64Array {
  const count = updates.length;
  const column = new Int32Array(count);
  const out = new Float64Array(layout.size);
  for (let j = 0; j < layout.size; j++) {
    for (const [k, values] of updates.entries()) {
      const q = values[j] as number;
      let at = k;
      for (; at > 0 && (column[at - 1] as number) > q; at--) column[at] = column[at - 1] as number;
      column[at] = q;
    }
    out[j] = ((column[(count - 1) >> 1] as number) + (column[count >> 1] as number)) * 32_768;
  }
  return out;
}
