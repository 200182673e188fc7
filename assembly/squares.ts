// SPDX-License-Identifier: Apache-2.0
// Σ (x_k,j − z_j)² for every row, or Σ x_k,j².
import { rowAt, valuesAt } from "./rows";

/**
 * Coordinates summed in int64 lanes before they are split: |x − z| < 2^25, squares below 2^50, and 2^12 of them stay below 2^62.
 */
export const SQUARES_TILE: u32 = 4_096;

/** Bytes of scratch: a decoded row and a decoded centre. */
export function squaresScratch(): usize {
  return 2 * (<usize>SQUARES_TILE + 16) * 4;
}

/**
 * @param centre a row, or 0 for squared norms.
 * @param sums per row two int64, `lower` and `upper`: the sum is 2^32·upper + lower. Zeros at the start; `lower` grows by less than 2^32 per
 * tile, so it holds for 2^31 tiles.
 */
export function squares(rows: usize, count: u32, from: u32, to: u32, centre: usize, sums: usize, scratch: usize): void {
  const room = scratch;
  const centreRoom = scratch + (<usize>SQUARES_TILE + 16) * 4;
  for (let at = from; at < to; at += SQUARES_TILE) {
    const end = min<u32>(to, at + SQUARES_TILE);
    const z: usize = centre == 0 ? 0 : valuesAt(centre, at, end, centreRoom);
    for (let k: u32 = 0; k < count; k++) {
      const x = valuesAt(rowAt(rows, k), at, end, room);
      const sum = centre == 0 ? norm(x, end - at) : distance(x, z, end - at);
      const target = sums + (<usize>k << 4);
      store<i64>(target, load<i64>(target) + (sum & 0xffff_ffff));
      store<i64>(target, load<i64>(target, 8) + (sum >> 32), 8);
    }
  }
}

@inline function addSquares(sum: v128, v: v128): v128 {
  return i64x2.add(sum, i64x2.add(i64x2.extmul_low_i32x4_s(v, v), i64x2.extmul_high_i32x4_s(v, v)));
}

function norm(x: usize, size: u32): i64 {
  let a = i64x2.splat(0);
  let b = i64x2.splat(0);
  const whole = <usize>(size & ~7) << 2;
  for (let j: usize = 0; j < whole; j += 32) {
    a = addSquares(a, v128.load(x + j));
    b = addSquares(b, v128.load(x + j, 16));
  }
  a = i64x2.add(a, b);
  let sum = i64x2.extract_lane(a, 0) + i64x2.extract_lane(a, 1);
  for (let j = whole; j < <usize>size << 2; j += 4) {
    const v = <i64>load<i32>(x + j);
    sum += v * v;
  }
  return sum;
}

function distance(x: usize, z: usize, size: u32): i64 {
  let a = i64x2.splat(0);
  let b = i64x2.splat(0);
  const whole = <usize>(size & ~7) << 2;
  for (let j: usize = 0; j < whole; j += 32) {
    a = addSquares(a, i32x4.sub(v128.load(x + j), v128.load(z + j)));
    b = addSquares(b, i32x4.sub(v128.load(x + j, 16), v128.load(z + j, 16)));
  }
  a = i64x2.add(a, b);
  let sum = i64x2.extract_lane(a, 0) + i64x2.extract_lane(a, 1);
  for (let j = whole; j < <usize>size << 2; j += 4) {
    const v = <i64>load<i32>(x + j) - <i64>load<i32>(z + j);
    sum += v * v;
  }
  return sum;
}
