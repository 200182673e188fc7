// SPDX-License-Identifier: Apache-2.0
// One update's values as the caller describes them in memory, and how they become int32. Rows lie one after the other, ROW_BYTES each:
//
//    0 kind        DENSE, INT8, INT16 or SPARSE
//    4 data        dense: address of the value of coordinate `origin`; blocks: of the scale of the block that holds it; sparse: of the indices
//    8 origin      dense and blocks: the coordinate at which the data begins
//   12 blockSize   blocks: values per block
//   16 skip        blocks: values of the first block before `origin`
//   20 values      sparse: address of the values
//   24 stored      sparse: number of values
//   28 weight      λ
//
// Coordinates count from the beginning of the chunk. Reading up to SLACK bytes past a row's end must be allowed; what is read there is not used.

export const ROW_BYTES: usize = 32;
export const DENSE: u32 = 0;
export const INT8: u32 = 1;
export const INT16: u32 = 2;
export const SPARSE: u32 = 3;

const SCALE_BYTES: usize = 4;

@inline export function rowAt(rows: usize, k: u32): usize {
  return rows + <usize>k * ROW_BYTES;
}
@inline export function kindOf(row: usize): u32 {
  return load<u32>(row);
}
@inline export function dataOf(row: usize): usize {
  return <usize>load<u32>(row, 4);
}
@inline export function originOf(row: usize): u32 {
  return load<u32>(row, 8);
}
@inline export function blockSizeOf(row: usize): u32 {
  return load<u32>(row, 12);
}
@inline export function skipOf(row: usize): u32 {
  return load<u32>(row, 16);
}
@inline export function valuesOf(row: usize): usize {
  return <usize>load<u32>(row, 20);
}
@inline export function storedOf(row: usize): u32 {
  return load<u32>(row, 24);
}
@inline export function weightOf(row: usize): u32 {
  return load<u32>(row, 28);
}

/** Bytes of a whole block, its scale included. */
@inline export function blockBytes(blockSize: u32, valueBytes: u32): usize {
  return SCALE_BYTES + <usize>blockSize * <usize>valueBytes;
}

/** The scale of the block that begins at `block`: big-endian, below 2^24, since a value is below 2^24 and some level is not 0. */
@inline export function scaleAt(block: usize): u32 {
  return bswap<u32>(load<u32>(block));
}

@inline export function levels(block: usize, valueBytes: u32, place: u32): usize {
  return block + SCALE_BYTES + <usize>place * <usize>valueBytes;
}

/** Eight big-endian int16 in the machine's order. */
@inline export function swapped(v: v128): v128 {
  return i8x16.shuffle(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}

/** First position among a sparse row's indices whose index is at least `coordinate`. */
export function lowerBound(indices: usize, stored: u32, coordinate: u32): u32 {
  let low: u32 = 0;
  let high = stored;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(indices + (<usize>middle << 2)) < coordinate) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The int32 values of coordinates [from, to): where a dense row has them, else decoded into `room`, which holds (to − from + 8) values. */
export function valuesAt(row: usize, from: u32, to: u32, room: usize): usize {
  const kind = kindOf(row);
  if (kind == DENSE) return dataOf(row) + (<usize>(from - originOf(row)) << 2);
  if (kind == SPARSE) {
    memory.fill(room, 0, <usize>(to - from) << 2);
    const indices = dataOf(row);
    const values = valuesOf(row);
    const stored = storedOf(row);
    for (let i = lowerBound(indices, stored, from); i < stored; i++) {
      const index = load<u32>(indices + (<usize>i << 2));
      if (index >= to) break;
      store<i32>(room + (<usize>(index - from) << 2), load<i32>(values + (<usize>i << 2)));
    }
    return room;
  }
  const valueBytes: u32 = kind == INT8 ? 1 : 2;
  const blockSize = blockSizeOf(row);
  const start = skipOf(row) + (from - originOf(row));
  let block = dataOf(row) + <usize>(start / blockSize) * blockBytes(blockSize, valueBytes);
  let place = start % blockSize;
  let at = room;
  let left = to - from;
  while (left > 0) {
    const size = min<u32>(left, blockSize - place);
    const scale = i32x4.splat(scaleAt(block));
    let level = levels(block, valueBytes, place);
    // Whole vectors: what is written past the block is overwritten by the next one, or lies in the room's last 8 values.
    for (let i: u32 = 0; i < size; i += 8) {
      const k = valueBytes == 1 ? v128.load8x8_s(level) : swapped(v128.load(level));
      v128.store(at + (<usize>i << 2), i32x4.mul(scale, i32x4.extend_low_i16x8_s(k)));
      v128.store(at + (<usize>i << 2), i32x4.mul(scale, i32x4.extend_high_i16x8_s(k)), 16);
      level += 8 * <usize>valueBytes;
    }
    at += <usize>size << 2;
    left -= size;
    block += blockBytes(blockSize, valueBytes);
    place = 0;
  }
  return room;
}
