// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "../protocol/errors.ts";
import { UPDATE_LIMIT } from "../protocol/grid.ts";
import { blocksBytes } from "../protocol/updateChunk.ts";

/** Bytes of one quantised value: int16 or int8. */
export type ValueBytes = 1 | 2;

const SCALE_BYTES = 4;

/** Largest |k| a block stores: −2^15 and −2^7 are not used, so that k and −k are always both there. */
export function largestLevel(valueBytes: ValueBytes): number {
  return valueBytes === 2 ? 32_767 : 127;
}

/** Bytes of `count` values in blocks: one uint32 scale before each block. */
export const blocksLength = blocksBytes;

/**
 * Grid integers as blocks of (scale, k…) with q̂ = scale·k.
 *
 * The scale is the smallest integer with which the block's largest value fits, and k is rounded *toward zero*: |q̂| ≤ |q| in every
 * coordinate, so whatever bound q keeps (coordinate, norm, master range: all contain 0 and everything between), q̂ keeps too. What is
 * lost stays with the member as error feedback.
 *
 * @param values grid integers, |q| < 2^24.
 */
export function encodeBlocks(values: Int32Array, blockSize: number, valueBytes: ValueBytes): Uint8Array {
  const out = new Uint8Array(blocksLength(values.length, blockSize, valueBytes));
  const view = new DataView(out.buffer);
  const limit = largestLevel(valueBytes);
  let at = 0;
  for (let start = 0; start < values.length; start += blockSize) {
    const block = values.subarray(start, start + blockSize);
    let largest = 0;
    for (const q of block) largest = Math.max(largest, Math.abs(q));
    const scale = Math.max(1, Math.ceil(largest / limit));
    view.setUint32(at, scale);
    at += SCALE_BYTES;
    for (const q of block) {
      const k = Math.trunc(q / scale);
      if (valueBytes === 2) view.setInt16(at, k);
      else view.setInt8(at, k);
      at += valueBytes;
    }
  }
  return out;
}

/** A decoded value outside |q| < 2^24; index counts the values of the blocks. */
export interface OffGridValue {
  readonly index: number;
  readonly value: number;
}

/**
 * Inverse of `encodeBlocks` for any canonical blocks: scale ≥ 1, scale 1 where all k are 0, −2^15 and −2^7 unused.
 *
 * @param bytes exactly `blocksLength(count, …)` of them.
 * @param first index of the first value, for messages and `offGrid`, where these are not the first blocks; a multiple of the block size.
 * @param values to write to, of length `count`, where a caller has many blocks and one memory for them.
 * @returns the values and the first one outside the grid, which stands as 0 in `values`.
 * @throws DecodeError when the blocks are not canonical.
 */
export function decodeBlocks(
  bytes: Uint8Array,
  count: number,
  blockSize: number,
  valueBytes: ValueBytes,
  first = 0,
  values = new Int32Array(count),
): { values: Int32Array; offGrid?: OffGridValue } {
  if (bytes.length !== blocksLength(count, blockSize, valueBytes)) {
    throw new DecodeError(
      `${count} values in blocks of ${blockSize} take ${blocksLength(count, blockSize, valueBytes)} bytes; there are ${bytes.length}.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const limit = largestLevel(valueBytes);
  let offGrid: OffGridValue | undefined;
  let at = 0;
  for (let start = 0; start < count; start += blockSize) {
    const scale = view.getUint32(at);
    at += SCALE_BYTES;
    let anything = 0;
    for (let index = start; index < Math.min(start + blockSize, count); index++) {
      const k = valueBytes === 2 ? view.getInt16(at) : view.getInt8(at);
      at += valueBytes;
      if (k < -limit) throw new DecodeError(`Value ${first + index} is stored as ${k}, which is not used.`);
      anything |= k;
      // Below 2^47, so exact.
      const value = scale * k;
      const onGrid = Math.abs(value) < UPDATE_LIMIT;
      values[index] = onGrid ? value : 0;
      if (!onGrid) offGrid ??= { index: first + index, value };
    }
    if (scale === 0 || (anything === 0 && scale !== 1))
      throw new DecodeError(
        `The block at value ${first + start} has scale ${scale}${scale === 0 ? "" : " and only zeros"}.`,
      );
  }
  return offGrid === undefined ? { values } : { values, offGrid };
}
