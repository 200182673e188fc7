// SPDX-License-Identifier: Apache-2.0
// Order statistics of each coordinate's K values: a sorting network over strips of 16 coordinates, then the median or a mean of what is asked.
import { rowAt, valuesAt } from "./rows";

/** Coordinates sorted side by side: a row of the strip is one cache line. */
const STRIP: u32 = 16;
const STRIP_ROW: usize = 64;
/** Rows that hardware follows well enough by itself. */
const FOLLOWED: u32 = 32;

export const MEDIAN: u32 = 0;
export const TRIMMED_MEAN: u32 = 1;
export const MEAN_AROUND_MEDIAN: u32 = 2;

/** Bytes of scratch for K rows and tiles of at most `size` coordinates: addresses, decoded rows, the strip. */
export function orderScratch(count: u32, size: u32): usize {
  return ((<usize>count * 4 + 63) & ~63) + <usize>count * (<usize>size + 16) * 4 + (<usize>count + 1) * STRIP_ROW;
}

/**
 * @param program operations on the rows of a strip, of which each row is brought there by the first that names it. After all of them the rows
 * that the statistic reads hold what they would in ascending order. In uint32, places as offsets in bytes of strip rows unless they are numbers:
 *    0, n, n times (a, b)    the smaller of two values goes to a
 *    1, number               brings eight rows from this number on and sorts them
 *    2, eight places         merges two times four sorted rows
 *    3, number               brings a row
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
  program: usize,
  programBytes: usize,
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
    if (count > FOLLOWED) fetch(addresses, count, <usize>j << 2, result);
    execute(program, program + programBytes, strip, addresses, <usize>j << 2);
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

/** Reads a word of each row's line, all at once: sorted eight at a time they would come from memory eight at a time. What is stored is of no use. */
function fetch(addresses: usize, count: u32, offset: usize, unused: usize): void {
  let any: u32 = 0;
  for (let at = addresses; at < addresses + (<usize>count << 2); at += 4) any |= load<u32>(<usize>load<u32>(at) + offset);
  store<u32>(unused, any);
}

/** Operations of a program. */
const COMPARATORS: u32 = 0;
const SORT: u32 = 1;
const MERGE: u32 = 2;

/** Sorts one strip. @param offset bytes of the strip's first coordinate from the rows' addresses. */
function execute(program: usize, end: usize, strip: usize, addresses: usize, offset: usize): void {
  let at = program;
  while (at < end) {
    const operation = load<u32>(at);
    if (operation == COMPARATORS) {
      const stop = at + 8 + (<usize>load<u32>(at, 4) << 3);
      compare(at + 8, stop, strip);
      at = stop;
    } else if (operation == MERGE) {
      eight<Merge>(at + 4, strip, addresses, offset);
      at += 36;
    } else if (operation == SORT) {
      eight<Sort>(at + 4, strip, addresses, offset);
      at += 8;
    } else {
      const k = <usize>load<u32>(at, 4);
      const source = <usize>load<u32>(addresses + (k << 2)) + offset;
      const target = strip + k * STRIP_ROW;
      v128.store(target, v128.load(source));
      v128.store(target, v128.load(source, 16), 16);
      v128.store(target, v128.load(source, 32), 32);
      v128.store(target, v128.load(source, 48), 48);
      at += 8;
    }
  }
}

function compare(from: usize, end: usize, strip: usize): void {
  for (let at = from; at < end; at += 8) {
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

// The types only carry the choice.
class Sort {}
class Merge {}

/**
 * Batcher's network on eight rows in registers, all of it or its last merge: a comparator on rows in memory takes two loads and two stores, and
 * stores are what sorting is bound by.
 */
function eight<T>(at: usize, strip: usize, addresses: usize, offset: usize): void {
  const sorting = idof<T>() == idof<Sort>();
  const first = sorting ? <usize>load<u32>(at) : 0;
  const target = strip + first * <usize>STRIP_ROW;
  const from = addresses + (first << 2);
  const pa = sorting ? <usize>load<u32>(from) + offset : strip + <usize>load<u32>(at);
  const pb = sorting ? <usize>load<u32>(from, 4) + offset : strip + <usize>load<u32>(at, 4);
  const pc = sorting ? <usize>load<u32>(from, 8) + offset : strip + <usize>load<u32>(at, 8);
  const pd = sorting ? <usize>load<u32>(from, 12) + offset : strip + <usize>load<u32>(at, 12);
  const pe = sorting ? <usize>load<u32>(from, 16) + offset : strip + <usize>load<u32>(at, 16);
  const pf = sorting ? <usize>load<u32>(from, 20) + offset : strip + <usize>load<u32>(at, 20);
  const pg = sorting ? <usize>load<u32>(from, 24) + offset : strip + <usize>load<u32>(at, 24);
  const ph = sorting ? <usize>load<u32>(from, 28) + offset : strip + <usize>load<u32>(at, 28);
  for (let v: usize = 0; v < STRIP_ROW; v += 16) {
    let a = v128.load(pa + v);
    let b = v128.load(pb + v);
    let c = v128.load(pc + v);
    let d = v128.load(pd + v);
    let e = v128.load(pe + v);
    let f = v128.load(pf + v);
    let g = v128.load(pg + v);
    let h = v128.load(ph + v);
    let t = a;
    if (sorting) {
      t = i32x4.min_s(a, b);
      b = i32x4.max_s(a, b);
      a = t;
      t = i32x4.min_s(c, d);
      d = i32x4.max_s(c, d);
      c = t;
      t = i32x4.min_s(e, f);
      f = i32x4.max_s(e, f);
      e = t;
      t = i32x4.min_s(g, h);
      h = i32x4.max_s(g, h);
      g = t;
      t = i32x4.min_s(a, c);
      c = i32x4.max_s(a, c);
      a = t;
      t = i32x4.min_s(b, d);
      d = i32x4.max_s(b, d);
      b = t;
      t = i32x4.min_s(e, g);
      g = i32x4.max_s(e, g);
      e = t;
      t = i32x4.min_s(f, h);
      h = i32x4.max_s(f, h);
      f = t;
      t = i32x4.min_s(b, c);
      c = i32x4.max_s(b, c);
      b = t;
      t = i32x4.min_s(f, g);
      g = i32x4.max_s(f, g);
      f = t;
    }
    t = i32x4.min_s(a, e);
    e = i32x4.max_s(a, e);
    a = t;
    t = i32x4.min_s(b, f);
    f = i32x4.max_s(b, f);
    b = t;
    t = i32x4.min_s(c, g);
    g = i32x4.max_s(c, g);
    c = t;
    t = i32x4.min_s(d, h);
    h = i32x4.max_s(d, h);
    d = t;
    t = i32x4.min_s(c, e);
    e = i32x4.max_s(c, e);
    c = t;
    t = i32x4.min_s(d, f);
    f = i32x4.max_s(d, f);
    d = t;
    t = i32x4.min_s(b, c);
    c = i32x4.max_s(b, c);
    b = t;
    t = i32x4.min_s(d, e);
    e = i32x4.max_s(d, e);
    d = t;
    t = i32x4.min_s(f, g);
    g = i32x4.max_s(f, g);
    f = t;
    if (sorting) {
      v128.store(target + v, a);
      v128.store(target + v, b, 64);
      v128.store(target + v, c, 128);
      v128.store(target + v, d, 192);
      v128.store(target + v, e, 256);
      v128.store(target + v, f, 320);
      v128.store(target + v, g, 384);
      v128.store(target + v, h, 448);
    } else {
      v128.store(pa + v, a);
      v128.store(pb + v, b);
      v128.store(pc + v, c);
      v128.store(pd + v, d);
      v128.store(pe + v, e);
      v128.store(pf + v, f);
      v128.store(pg + v, g);
      v128.store(ph + v, h);
    }
  }
}

@inline function sorted(column: usize, position: u32): v128 {
  return v128.load(column + <usize>position * STRIP_ROW);
}
/** Twice the median, below 2^25. */
@inline function doubledMedian(column: usize, count: u32): v128 {
  return i32x4.add(sorted(column, (count - 1) >> 1), sorted(column, count >> 1));
}
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

/** Values below 2^24 whose sum stays below 2^30. */
const INT32_VALUES: u32 = 64;

/**
 * The values closest to the median are neighbours in ascending order: the window of `nearest` values moves up while the value it would gain is
 * closer than the one it would lose. Compared in units of 1/2, below 2^26.
 */
function meanAroundMedian(column: usize, count: u32, nearest: u32, out: usize): void {
  const twice = doubledMedian(column, count);
  // The sum in int32 lanes while it fits, else in float64.
  const short = nearest <= INT32_VALUES;
  let sum = i32x4.splat(0);
  let x = f64x2.splat(0);
  let y = f64x2.splat(0);
  for (let position: u32 = 0; position < nearest; position++) {
    const value = sorted(column, position);
    if (short) sum = i32x4.add(sum, value);
    else {
      x = f64x2.add(x, f64x2.convert_low_i32x4_s(value));
      y = f64x2.add(y, f64x2.convert_low_i32x4_s(upperHalf(value)));
    }
  }
  let moving = i32x4.splat(-1);
  for (let from: u32 = 0; from + nearest < count; from++) {
    const lost = sorted(column, from);
    const gained = sorted(column, from + nearest);
    const closer = i32x4.lt_s(i32x4.sub(i32x4.shl(gained, 1), twice), i32x4.sub(twice, i32x4.shl(lost, 1)));
    moving = v128.and(moving, closer);
    if (!v128.any_true(moving)) break;
    const change = v128.and(moving, i32x4.sub(gained, lost));
    if (short) sum = i32x4.add(sum, change);
    else {
      x = f64x2.add(x, f64x2.convert_low_i32x4_s(change));
      y = f64x2.add(y, f64x2.convert_low_i32x4_s(upperHalf(change)));
    }
  }
  if (short) {
    x = f64x2.convert_low_i32x4_s(sum);
    y = f64x2.convert_low_i32x4_s(upperHalf(sum));
  }
  v128.store(out, mean(x, nearest));
  v128.store(out, mean(y, nearest), 16);
}

/**
 * 2^16·sum/n rounded once, half away from zero. |sum| ≤ 2^11·2^24, so a = 2^16·|sum| ≤ 2^51 and every number here is an exact integer but the
 * quotient. Rounding a quotient is monotone and its floor t is an integer that float64 holds, so ⌊fl(a/n)⌋ is ⌊a/n⌋ or one more; the
 * remainder a − t·n, exact below 2^53, tells which.
 */
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
