// SPDX-License-Identifier: Apache-2.0
// Order statistics of each coordinate's K values: a sorting network over strips of 16 coordinates, then the median or a mean of what is asked.
import { rowAt, valuesAt } from "./rows";

/** Coordinates sorted side by side: a row of the strip is one cache line. */
const STRIP: u32 = 16;
const STRIP_ROW: usize = 64;

export const MEDIAN: u32 = 0;
export const TRIMMED_MEAN: u32 = 1;
export const MEAN_AROUND_MEDIAN: u32 = 2;

/** Bytes of scratch for K rows and tiles of at most `size` coordinates: addresses, decoded rows, the strip. */
export function orderScratch(count: u32, size: u32): usize {
  return ((<usize>count * 4 + 63) & ~63) + <usize>count * (<usize>size + 16) * 4 + (<usize>count + 1) * STRIP_ROW;
}

/**
 * @param network comparators (a, b), each two uint32 offsets in bytes of strip rows: the smaller value goes to a. After all of them the rows
 * that the statistic reads hold what they would in ascending order.
 * @param comparators how many.
 * @param parameter the number of values trimmed at each end, or of those averaged around the median.
 * @param out address of the result of coordinate `from`.
 */
export function orderStatistic(
  rows: usize,
  count: u32,
  from: u32,
  to: u32,
  out: usize,
  scratch: usize,
  network: usize,
  comparators: u32,
  statistic: u32,
  parameter: u32,
): void {
  const size = to - from;
  const addresses = scratch;
  const rooms = scratch + ((<usize>count * 4 + 63) & ~63);
  const roomBytes = (<usize>size + 16) * 4;
  const strip = rooms + <usize>count * roomBytes;
  for (let k: u32 = 0; k < count; k++) {
    store<u32>(addresses + (<usize>k << 2), <u32>valuesAt(rowAt(rows, k), from, to, rooms + <usize>k * roomBytes));
  }
  const result = strip + <usize>count * STRIP_ROW;
  for (let j: u32 = 0; j < size; j += STRIP) {
    for (let k: u32 = 0; k < count; k++) {
      const source = <usize>load<u32>(addresses + (<usize>k << 2)) + (<usize>j << 2);
      const target = strip + <usize>k * STRIP_ROW;
      v128.store(target, v128.load(source));
      v128.store(target, v128.load(source, 16), 16);
      v128.store(target, v128.load(source, 32), 32);
      v128.store(target, v128.load(source, 48), 48);
    }
    sort(strip, network, comparators);
    for (let lane: u32 = 0; lane < STRIP && j + lane < size; lane += 4) {
      const column = strip + (<usize>lane << 2);
      const at = out + (<usize>(j + lane) << 3);
      // A last vector that is cut short goes through the strip's spare row.
      const whole = size - (j + lane) >= 4;
      const target = whole ? at : result;
      if (statistic == MEDIAN) median(column, count, target);
      else if (statistic == TRIMMED_MEAN) trimmedMean(column, count, parameter, target);
      else meanAroundMedian(column, count, parameter, target);
      if (!whole) memory.copy(at, result, <usize>(size - (j + lane)) << 3);
    }
  }
}

function sort(strip: usize, network: usize, comparators: u32): void {
  const end = network + (<usize>comparators << 3);
  for (let at = network; at < end; at += 8) {
    const a = strip + <usize>load<u32>(at);
    const b = strip + <usize>load<u32>(at, 4);
    const a0 = v128.load(a);
    const b0 = v128.load(b);
    const a1 = v128.load(a, 16);
    const b1 = v128.load(b, 16);
    const a2 = v128.load(a, 32);
    const b2 = v128.load(b, 32);
    const a3 = v128.load(a, 48);
    const b3 = v128.load(b, 48);
    v128.store(a, i32x4.min_s(a0, b0));
    v128.store(b, i32x4.max_s(a0, b0));
    v128.store(a, i32x4.min_s(a1, b1), 16);
    v128.store(b, i32x4.max_s(a1, b1), 16);
    v128.store(a, i32x4.min_s(a2, b2), 32);
    v128.store(b, i32x4.max_s(a2, b2), 32);
    v128.store(a, i32x4.min_s(a3, b3), 48);
    v128.store(b, i32x4.max_s(a3, b3), 48);
  }
}

// @ts-ignore: decorator
@inline function sorted(column: usize, position: u32): v128 {
  return v128.load(column + <usize>position * STRIP_ROW);
}
/** Twice the median, below 2^25. */
// @ts-ignore: decorator
@inline function doubledMedian(column: usize, count: u32): v128 {
  return i32x4.add(sorted(column, (count - 1) >> 1), sorted(column, count >> 1));
}
// @ts-ignore: decorator
@inline function upperHalf(v: v128): v128 {
  return i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

function median(column: usize, count: u32, out: usize): void {
  const twice = doubledMedian(column, count);
  const scale = f64x2.splat(32_768.0);
  v128.store(out, f64x2.mul(scale, f64x2.convert_low_i32x4_s(twice)));
  v128.store(out, f64x2.mul(scale, f64x2.convert_low_i32x4_s(upperHalf(twice))), 16);
}

/** Sums of at most 2 048 values below 2^24: float64 holds them. */
function trimmedMean(column: usize, count: u32, trim: u32, out: usize): void {
  let x = f64x2.splat(0);
  let y = f64x2.splat(0);
  let position = trim;
  const end = count - trim;
  while (position < end) {
    // 64 values below 2^24 stay below 2^30.
    const stop = min<u32>(end, position + 64);
    let sum = i32x4.splat(0);
    for (; position < stop; position++) sum = i32x4.add(sum, sorted(column, position));
    x = f64x2.add(x, f64x2.convert_low_i32x4_s(sum));
    y = f64x2.add(y, f64x2.convert_low_i32x4_s(upperHalf(sum)));
  }
  v128.store(out, mean(x, count - 2 * trim));
  v128.store(out, mean(y, count - 2 * trim), 16);
}

/**
 * The values closest to the median are neighbours in ascending order: the window of `nearest` values moves up while the value it would gain is
 * closer than the one it would lose. Compared in units of 1/2, below 2^26.
 */
function meanAroundMedian(column: usize, count: u32, nearest: u32, out: usize): void {
  const twice = doubledMedian(column, count);
  let x = f64x2.splat(0);
  let y = f64x2.splat(0);
  for (let position: u32 = 0; position < nearest; position++) {
    const value = sorted(column, position);
    x = f64x2.add(x, f64x2.convert_low_i32x4_s(value));
    y = f64x2.add(y, f64x2.convert_low_i32x4_s(upperHalf(value)));
  }
  let moving = i32x4.splat(-1);
  for (let from: u32 = 0; from + nearest < count; from++) {
    const lost = sorted(column, from);
    const gained = sorted(column, from + nearest);
    const closer = i32x4.lt_s(i32x4.sub(i32x4.shl(gained, 1), twice), i32x4.sub(twice, i32x4.shl(lost, 1)));
    moving = v128.and(moving, closer);
    if (!v128.any_true(moving)) break;
    const change = v128.and(moving, i32x4.sub(gained, lost));
    x = f64x2.add(x, f64x2.convert_low_i32x4_s(change));
    y = f64x2.add(y, f64x2.convert_low_i32x4_s(upperHalf(change)));
  }
  v128.store(out, mean(x, nearest));
  v128.store(out, mean(y, nearest), 16);
}

/**
 * 2^16·sum/n rounded once, half away from zero. |sum| ≤ 2^11·2^24, so a = 2^16·|sum| ≤ 2^51 and every number here is an exact integer but the
 * quotient. Rounding a quotient is monotone and its floor t is an integer that float64 holds, so ⌊fl(a/n)⌋ is ⌊a/n⌋ or one more; the
 * remainder a − t·n, exact below 2^53, tells which.
 */
// @ts-ignore: decorator
@inline function mean(sum: v128, n: u32): v128 {
  const divisor = f64x2.splat(<f64>n);
  const one = f64x2.splat(1);
  const zero = f64x2.splat(0);
  const a = f64x2.mul(f64x2.abs(sum), f64x2.splat(65_536.0));
  let t = f64x2.floor(f64x2.div(a, divisor));
  let rest = f64x2.sub(a, f64x2.mul(t, divisor));
  const over = f64x2.lt(rest, zero);
  t = f64x2.sub(t, v128.and(over, one));
  rest = f64x2.add(rest, v128.and(over, divisor));
  t = f64x2.add(t, v128.and(f64x2.ge(f64x2.add(rest, rest), divisor), one));
  // 0 − t rather than −t: no −0.
  return v128.bitselect(f64x2.sub(zero, t), t, f64x2.lt(sum, zero));
}
