// SPDX-License-Identifier: Apache-2.0
import { expandChunk } from "../../src/aggregation/reference/expandChunk.ts";
import { roundedQuotient } from "../../src/aggregation/reference/roundedQuotient.ts";
import type { BlocksChunk, UpdateChunk } from "../../src/protocol/updateChunk.ts";
import { chunkLength } from "../../src/protocol/updateChunk.ts";
import type { GramMatrix, WideKernels } from "../../src/protocol/wideKernels.ts";

/**
 * The wide kernels as a good programmer writes them in plain JavaScript: typed arrays, tiles that stay in the cache, several updates per
 * pass, decoding fused, native sort; no SIMD and no threads. What the fast backends are worth is measured against this, not against the
 * reference, whose aim is to be obvious.
 */
export const plainJsKernels: WideKernels = {
  device: { backend: "reference", name: "plain JavaScript, optimised", threads: 1 },
  allocate: (bytes) => ({ bytes: new Uint8Array(bytes), free: () => {} }),
  weightedSum: async (updates, weights, room) => weightedSum(updates, weights, room),
  gram: async (updates) => gram(updates.map(expandChunk)),
  squaredNorms: async (updates) => updates.map((update) => squaredNorm(expandChunk(update))),
  squaredDistances: async (updates, z) => {
    const center = expandChunk(z);
    return updates.map((update) => squaredNorm(expandChunk(update).map((q, j) => q - (center[j] as number))));
  },
  coordinateMedian: async (updates, room) => {
    const low = (updates.length - 1) >> 1;
    const high = updates.length >> 1;
    const median = (column: Int32Array, at: number): number =>
      32_768 * ((column[at + low] as number) + (column[at + high] as number));
    return eachColumn(updates, median, room);
  },
  trimmedMean: async (updates, trim, room) =>
    eachColumn(updates, (column, at) => meanOf(column, at + trim, updates.length - 2 * trim), room),
  meanAroundMedian: async (updates, nearest, room) => {
    const statistic = (column: Int32Array, at: number): number =>
      meanOf(column, at + closest(column, at, updates.length, nearest), nearest);
    return eachColumn(updates, statistic, room);
  },
  close: async () => {},
};

/** Coordinates of a tile: with the accumulator 96 KiB for four updates, within a second-level cache. */
const TILE = 4_096;
const MASTER_STEPS = 65_536;

function weightedSum(updates: readonly UpdateChunk[], weights: Uint32Array, room?: Float64Array): Float64Array {
  const out = room?.fill(0) ?? new Float64Array(chunkLength(updates[0] as UpdateChunk));
  const dense: Int32Array[] = [];
  const denseWeights: number[] = [];
  for (const [k, update] of updates.entries()) {
    const weight = weights[k] as number;
    if (update.kind === "dense") {
      dense.push(update.values);
      denseWeights.push(weight);
    } else if (update.kind === "blocks") addBlocks(out, update, weight);
    else {
      const { indices, values } = update;
      for (let i = 0; i < indices.length; i++) {
        const j = indices[i] as number;
        out[j] = (out[j] as number) + weight * (values[i] as number);
      }
    }
  }
  addDense(out, dense, denseWeights);
  return out;
}

/** Four updates per pass: one load and one store of the accumulator for four products. */
function addDense(out: Float64Array, updates: readonly Int32Array[], weights: readonly number[]): void {
  const none = new Int32Array(out.length === 0 || updates.length % 4 === 0 ? 0 : out.length);
  for (let start = 0; start < out.length; start += TILE) {
    const stop = Math.min(out.length, start + TILE);
    for (let k = 0; k < updates.length; k += 4) {
      const a = updates[k] as Int32Array;
      const b = updates[k + 1] ?? none;
      const c = updates[k + 2] ?? none;
      const e = updates[k + 3] ?? none;
      const [wa, wb, wc, we] = [weights[k] as number, weights[k + 1] ?? 0, weights[k + 2] ?? 0, weights[k + 3] ?? 0];
      for (let j = start; j < stop; j++) {
        out[j] =
          (out[j] as number) +
          (wa * (a[j] as number) + wb * (b[j] as number)) +
          (wc * (c[j] as number) + we * (e[j] as number));
      }
    }
  }
}

function addBlocks(out: Float64Array, chunk: BlocksChunk, weight: number): void {
  const { bytes, valueBytes, blockSize, skip, count } = chunk;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  let j = 0;
  for (let block = 0, within = skip; j < count; block += 4 + blockSize * valueBytes, within = 0) {
    const factor = weight * view.getUint32(block);
    const stop = Math.min(count, j + blockSize - within);
    let at = block + 4 + within * valueBytes;
    if (valueBytes === 1) {
      for (; j < stop; j++, at++) out[j] = (out[j] as number) + factor * (signed[at] as number);
    } else {
      for (; j < stop; j++, at += 2)
        out[j] = (out[j] as number) + factor * (((signed[at] as number) << 8) | (bytes[at + 1] as number));
    }
  }
}

const INT16_MAX = 32_767;
/** Coordinates whose sums float64 holds exactly: products are below 2^36 (12 by 24 bits) or 2^30. */
const EXACT = 65_536;
/** Coordinates of all updates that are turned into float64 at a time, so that pairs need no conversion. */
const GRAM_TILE = 1_024;

/** ⟨x, y⟩, or ⟨x≫12, y⟩·2^12 + ⟨x&4095, y⟩ where int16 does not hold the values: only one side needs splitting. */
function gram(updates: readonly Int32Array[]): GramMatrix {
  const size = (updates[0] as Int32Array).length;
  const count = updates.length;
  const matrix = updates.map(() => new Array<bigint>(count).fill(0n));
  const narrow = updates.every((values) => values.every((q) => q <= INT16_MAX && q >= -INT16_MAX));
  const whole = new Float64Array(count * GRAM_TILE);
  const highs = new Float64Array(narrow ? 0 : count * GRAM_TILE);
  const lows = new Float64Array(narrow ? 0 : count * GRAM_TILE);
  for (let from = 0; from < size; from += EXACT) {
    const to = Math.min(size, from + EXACT);
    const high = new Float64Array(count * count);
    const low = new Float64Array(count * count);
    for (let start = from; start < to; start += GRAM_TILE) {
      const width = Math.min(GRAM_TILE, to - start);
      for (let i = 0; i < count; i++) {
        const row = updates[i] as Int32Array;
        for (let j = 0; j < width; j++) {
          const q = row[start + j] as number;
          whole[i * GRAM_TILE + j] = q;
          if (narrow) continue;
          highs[i * GRAM_TILE + j] = q >> 12;
          lows[i * GRAM_TILE + j] = q & 4_095;
        }
      }
      if (narrow) addProducts(whole, whole, count, width, low);
      else {
        addProducts(highs, whole, count, width, high);
        addProducts(lows, whole, count, width, low);
      }
    }
    for (let i = 0; i < count; i++) {
      for (let k = i; k < count; k++) {
        const row = matrix[i] as bigint[];
        const sum =
          (row[k] as bigint) + (BigInt(high[i * count + k] as number) << 12n) + BigInt(low[i * count + k] as number);
        row[k] = sum;
        (matrix[k] as bigint[])[i] = sum;
      }
    }
  }
  return matrix;
}

/** Adds ⟨x_i, y_k⟩ for i ≤ k, two rows by two at a time: four products for four loads. */
function addProducts(x: Float64Array, y: Float64Array, count: number, width: number, sums: Float64Array): void {
  for (let i = 0; i < count; i += 2) {
    // An odd last row stands in for its missing neighbour, whose sums are then dropped.
    const i2 = i + 1 < count ? i + 1 : i;
    for (let k = i; k < count; k += 2) {
      const k2 = k + 1 < count ? k + 1 : k;
      let [a, b, c, e] = [0, 0, 0, 0];
      const [xa, xb, ya, yb] = [i * GRAM_TILE, i2 * GRAM_TILE, k * GRAM_TILE, k2 * GRAM_TILE];
      for (let j = 0; j < width; j++) {
        const p = x[xa + j] as number;
        const p2 = x[xb + j] as number;
        const q = y[ya + j] as number;
        const q2 = y[yb + j] as number;
        a += p * q;
        b += p * q2;
        c += p2 * q;
        e += p2 * q2;
      }
      sums[i * count + k] = (sums[i * count + k] as number) + a;
      if (k2 > k) sums[i * count + k2] = (sums[i * count + k2] as number) + b;
      if (i2 > i) sums[i2 * count + k] = (sums[i2 * count + k] as number) + c;
      if (i2 > i && k2 > k) sums[i2 * count + k2] = (sums[i2 * count + k2] as number) + e;
    }
  }
}

/** Differences have 25 bits: products of 13 by 25 bits, sums of 2^13 of them below 2^53. */
function squaredNorm(values: Int32Array): bigint {
  let total = 0n;
  for (let start = 0; start < values.length; start += EXACT / 8) {
    const stop = Math.min(values.length, start + EXACT / 8);
    let high = 0;
    let low = 0;
    for (let j = start; j < stop; j++) {
      const q = values[j] as number;
      high += (q >> 12) * q;
      low += (q & 4_095) * q;
    }
    total += (BigInt(high) << 12n) + BigInt(low);
  }
  return total;
}

/** Columns gathered side by side, so that each is read from one place. */
const COLUMNS = 64;

/** A function of each coordinate's K values in ascending order, which stand in `columns` from `at` on. */
function eachColumn(
  updates: readonly UpdateChunk[],
  statistic: (columns: Int32Array, at: number) => number,
  room: Float64Array | undefined,
): Float64Array {
  const values = updates.map(expandChunk);
  const count = values.length;
  const size = (values[0] as Int32Array).length;
  const out = room ?? new Float64Array(size);
  const columns = new Int32Array(count * COLUMNS);
  const each = Array.from({ length: COLUMNS }, (_, i) => columns.subarray(i * count, (i + 1) * count));
  for (let start = 0; start < size; start += COLUMNS) {
    const width = Math.min(COLUMNS, size - start);
    for (let k = 0; k < count; k++) {
      const row = values[k] as Int32Array;
      for (let i = 0; i < width; i++) columns[i * count + k] = row[start + i] as number;
    }
    for (let i = 0; i < width; i++) {
      (each[i] as Int32Array).sort();
      out[start + i] = statistic(columns, i * count);
    }
  }
  return out;
}

function meanOf(columns: Int32Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += columns[i] as number;
  return roundedQuotient(sum * MASTER_STEPS, count);
}

function closest(columns: Int32Array, at: number, count: number, nearest: number): number {
  const twice = (columns[at + ((count - 1) >> 1)] as number) + (columns[at + (count >> 1)] as number);
  let from = 0;
  while (
    from + nearest < count &&
    2 * (columns[at + from + nearest] as number) - twice < twice - 2 * (columns[at + from] as number)
  )
    from++;
  return from;
}
