// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "../protocol/errors.ts";
import { UPDATE_LIMIT } from "../protocol/grid.ts";
import { blocksBytes } from "../protocol/updateChunk.ts";
import { type Levels, TOWARD_ZERO } from "./levels.ts";

/** Bytes of one quantised value: int16 or int8. */
export type ValueBytes = 1 | 2;

const SCALE_BYTES = 4;

/** Largest |k| a block stores: −2^15 and −2^7 are not used, so that k and −k are always both there. */
export function largestLevel(valueBytes: ValueBytes): number {
  return valueBytes === 2 ? 32_767 : 127;
}

/** Values in blocks of one scale and small integers each. */
export interface BlockForm {
  readonly kind: "blocks";
  readonly valueBytes: ValueBytes;
  readonly blockSize: number;
  /** Largest |k|. */
  readonly limit: number;
}

export function blockForm(valueBytes: ValueBytes, blockSize: number, limit = largestLevel(valueBytes)): BlockForm {
  return { kind: "blocks", valueBytes, blockSize, limit };
}

/** Bytes of `count` values in blocks: one uint32 scale before each block. */
export function blocksLength(count: number, { blockSize, valueBytes }: BlockForm): number {
  return blocksBytes(count, blockSize, valueBytes);
}

/**
 * Grid integers as blocks of (scale, k…) with q̂ = scale·k; levels.ts says how scale and k come to be. A block whose k are all 0 has scale 1.
 *
 * @param values in grid units, |q| < 2^24.
 */
export function encodeBlocks(values: ArrayLike<number>, form: BlockForm, levels: Levels = TOWARD_ZERO): Uint8Array {
  const { blockSize, valueBytes, limit } = form;
  const out = new Uint8Array(blocksLength(values.length, form));
  const view = new DataView(out.buffer);
  let at = 0;
  for (let start = 0; start < values.length; start += blockSize) {
    const end = Math.min(start + blockSize, values.length);
    const { scale, levelOf } = levels(values, start, end, limit);
    const scaleAt = at;
    at += SCALE_BYTES;
    let anything = 0;
    for (let i = start; i < end; i++) {
      const k = levelOf(values[i] as number, i);
      anything |= k;
      if (valueBytes === 2) view.setInt16(at, k);
      else view.setInt8(at, k);
      at += valueBytes;
    }
    view.setUint32(scaleAt, anything === 0 ? 1 : scale);
  }
  return out;
}

/** A decoded value outside |q| < 2^24; index counts the values of the blocks. */
export interface OffGridValue {
  readonly index: number;
  readonly value: number;
}

/**
 * Inverse of `encodeBlocks` for any canonical blocks: scale ≥ 1, scale 1 where all k are 0, |k| no larger than the form's limit.
 *
 * @param bytes exactly `blocksLength(count, form)` of them.
 * @param first index of the first value, for messages and `offGrid`, where these are not the first blocks; a multiple of the block size.
 * @param values to write to, of length `count`, where a caller has many blocks and one memory for them.
 * @returns the values and the first one outside the grid, which stands as 0 in `values`.
 * @throws DecodeError when the blocks are not canonical.
 */
export function decodeBlocks(
  bytes: Uint8Array,
  count: number,
  form: BlockForm,
  first = 0,
  values = new Int32Array(count),
): { values: Int32Array; offGrid?: OffGridValue } {
  const { blockSize, valueBytes, limit } = form;
  if (bytes.length !== blocksLength(count, form)) {
    throw new DecodeError(
      `${count} values in blocks of ${blockSize} take ${blocksLength(count, form)} bytes; there are ${bytes.length}.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offGrid: OffGridValue | undefined;
  let at = 0;
  for (let start = 0; start < count; start += blockSize) {
    const scale = view.getUint32(at);
    at += SCALE_BYTES;
    let anything = 0;
    for (let index = start; index < Math.min(start + blockSize, count); index++) {
      const k = valueBytes === 2 ? view.getInt16(at) : view.getInt8(at);
      at += valueBytes;
      if (k < -limit || k > limit)
        throw new DecodeError(`Value ${first + index} is stored as ${k}, which is not used.`);
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
