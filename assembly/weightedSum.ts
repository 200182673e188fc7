// SPDX-License-Identifier: Apache-2.0
// Σ λ_k q_k,j as float64 integers, straight from every form of row.
import {
  blockBytes,
  blockSizeOf,
  DENSE,
  dataOf,
  INT16,
  INT8,
  kindOf,
  levels,
  lowerBound,
  originOf,
  rowAt,
  scaleAt,
  skipOf,
  SPARSE,
  storedOf,
  swapped,
  valuesOf,
  weightOf,
} from "./rows";

/**
 * Largest part of a weight in one int16 factor; a heavier update is taken in parts of this (λ = 65 536 in three), which changes no sum.
 *
 * Bounds. A value is h·2^16 + u with 0 ≤ u < 2^16 and −2^8 ≤ h < 2^8; `u − 2^15` is its lower half read as int16 once bit 15 is flipped.
 * Two updates meet in one dot product: |λ_a(u_a − 2^15)| + |λ_b(u_b − 2^15)| ≤ 2·32 767·2^15 < 2^31, and −2^15 never meets −2^15.
 * Over all updates Σ λ(u − 2^15) lies in [−2^16·2^15, 2^16·(2^15 − 1)] = [−2^31, 2^31 − 2^16] and |Σ λh| ≤ 2^16·2^8 = 2^24, in any order and
 * for any part of the updates, because weights are not negative and sum to at most 2^16. Σ λq = 2^16·Σλh + Σλ(u − 2^15) + 2^15·Σλ.
 */
const MOST_WEIGHT: u32 = 32_767;

/** Coordinates of one run in each of a group's streams: 512 bytes, so that the accumulators of a run stay in the first-level cache. */
const RUN: u32 = 128;
/** Hardware follows about this many streams; more at a time halve the bandwidth (measured: 30 GB/s for 8, 15 for 20, 11 for 100). */
const GROUP: u32 = 8;

/**
 * Bits per limb of a coefficient c = λ·scale < 2^16·2^24 = 2^40, and how many pairs of updates one int32 lane takes.
 *
 * int8:  a pair adds at most 2·127·(2^15 − 1) < 2^23, so 256 pairs stay below 2^31.
 * int16: a pair adds at most 2·32 767·(2^11 − 1) < 2^27, so 16 pairs stay below 2^31.
 * c has at most 41 bits (2^40 itself): 3 limbs of 15, 4 of 11. Each limb's sum times its power of two is at most Σ c|k| = Σ λ|q| ≤ 2^40, so
 * what follows in float64 is exact.
 */
const INT8_BITS: u32 = 15;
const INT8_PAIRS: u32 = 256;
const INT16_BITS: u32 = 11;
const INT16_PAIRS: u32 = 16;

const ENTRY_BYTES: usize = 8;

/**
 * Bytes of scratch for K updates: entries of dense rows with heavy weights in parts and filled up to a multiple of 4 (K + 5), a mark per row,
 * a group's rows and pairs, and room for one vector of results.
 */
export function weightedSumScratch(count: u32): usize {
  return (<usize>count + 8) * ENTRY_BYTES + ((<usize>count + 64) & ~63) + 2 * <usize>INT8_PAIRS * 4 + <usize>INT8_PAIRS * PAIR_BYTES + 64;
}

/** @param out address of the result of coordinate `from`. */
export function weightedSum(rows: usize, count: u32, from: u32, to: u32, out: usize, scratch: usize): void {
  if (!denseSum(rows, count, from, to, out, scratch)) memory.fill(out, 0, <usize>(to - from) << 3);
  blocksSum(rows, count, from, to, out, scratch);
  sparseSum(rows, count, from, to, out);
}

/** @returns whether there was a dense row; `out` holds results then. */
function denseSum(rows: usize, count: u32, from: u32, to: u32, out: usize, scratch: usize): bool {
  // Entries: address of the value of `from`, and a weight's part.
  let entries: u32 = 0;
  let total: u32 = 0;
  for (let k: u32 = 0; k < count; k++) {
    const row = rowAt(rows, k);
    if (kindOf(row) != DENSE) continue;
    let weight = weightOf(row);
    total += weight;
    while (weight > 0) {
      const part = min<u32>(weight, MOST_WEIGHT);
      const entry = scratch + <usize>entries * ENTRY_BYTES;
      store<u32>(entry, <u32>(dataOf(row) + (<usize>(from - originOf(row)) << 2)));
      store<u32>(entry, part, 4);
      weight -= part;
      entries++;
    }
  }
  if (entries == 0) return false;
  while (entries % 4 != 0) {
    const entry = scratch + <usize>entries * ENTRY_BYTES;
    store<u32>(entry, load<u32>(scratch));
    store<u32>(entry, 0, 4);
    entries++;
  }
  const size = to - from;
  // Whole vectors go straight to the result, as pairs (Σ λ(u − 2^15), Σ λh) that are made float64 at the end, in place.
  const whole = size & ~3;
  for (let group: u32 = 0; group < entries; group += GROUP) {
    const end = min<u32>(entries, group + GROUP);
    for (let run: u32 = 0; run < whole; run += RUN) {
      const stop = min<u32>(whole, run + RUN);
      if (end - group == GROUP) addEight(scratch + <usize>group * ENTRY_BYTES, <usize>run << 2, <usize>stop << 2, out, group == 0);
      else addFour(scratch + <usize>group * ENTRY_BYTES, <usize>run << 2, <usize>stop << 2, out, group == 0);
    }
  }
  const bias = f64x2.splat(32_768.0 * <f64>total);
  for (let at = out; at < out + (<usize>whole << 3); at += 16) {
    const sums = v128.load(at);
    v128.store(at, f64x2.add(bias, joined(sums)));
  }
  for (let j = whole; j < size; j++) {
    let sum: i64 = 0;
    for (let i: u32 = 0; i < entries; i++) {
      const entry = scratch + <usize>i * ENTRY_BYTES;
      sum += <i64>load<i32>(<usize>load<u32>(entry) + (<usize>j << 2)) * <i64>load<u32>(entry, 4);
    }
    store<f64>(out + (<usize>j << 3), <f64>sum);
  }
  return true;
}

/** (lower, upper, lower, upper) of two coordinates as lower + 2^16·upper. */
// @ts-ignore: decorator
@inline function joined(sums: v128): v128 {
  const lower = i8x16.shuffle(sums, sums, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  const upper = i8x16.shuffle(sums, sums, 4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15);
  return f64x2.add(f64x2.mul(f64x2.splat(65_536.0), f64x2.convert_low_i32x4_s(upper)), f64x2.convert_low_i32x4_s(lower));
}

/** int16 halves of two updates' first two coordinates in turn: (u_a, u_b, h_a, h_b) of each. */
// @ts-ignore: decorator
@inline function firstHalf(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
// @ts-ignore: decorator
@inline function secondHalf(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}
/** The weights of two entries, λ_a and λ_b, in turn. */
// @ts-ignore: decorator
@inline function pairOfWeights(entry: usize): v128 {
  return i32x4.splat(load<u32>(entry, 4) | (load<u32>(entry, 12) << 16));
}

/** Bytes [from, to) of four streams; `first`: nothing has been added yet. */
function addFour(entries: usize, from: usize, to: usize, out: usize, first: bool): void {
  const flip = i32x4.splat(0x8000);
  const a0 = <usize>load<u32>(entries);
  const b0 = <usize>load<u32>(entries, 8);
  const a1 = <usize>load<u32>(entries, 16);
  const b1 = <usize>load<u32>(entries, 24);
  const w0 = pairOfWeights(entries);
  const w1 = pairOfWeights(entries + 16);
  let at = out + (from << 1);
  for (let j = from; j < to; j += 16) {
    let x = i32x4.splat(0);
    let y = i32x4.splat(0);
    if (!first) {
      x = v128.load(at);
      y = v128.load(at, 16);
    }
    let a = v128.xor(v128.load(a0 + j), flip);
    let b = v128.xor(v128.load(b0 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w0, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w0, secondHalf(a, b)));
    a = v128.xor(v128.load(a1 + j), flip);
    b = v128.xor(v128.load(b1 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w1, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w1, secondHalf(a, b)));
    v128.store(at, x);
    v128.store(at, y, 16);
    at += 32;
  }
}

/** The same for eight streams: half the traffic of the accumulators. */
function addEight(entries: usize, from: usize, to: usize, out: usize, first: bool): void {
  const flip = i32x4.splat(0x8000);
  const a0 = <usize>load<u32>(entries);
  const b0 = <usize>load<u32>(entries, 8);
  const a1 = <usize>load<u32>(entries, 16);
  const b1 = <usize>load<u32>(entries, 24);
  const a2 = <usize>load<u32>(entries, 32);
  const b2 = <usize>load<u32>(entries, 40);
  const a3 = <usize>load<u32>(entries, 48);
  const b3 = <usize>load<u32>(entries, 56);
  const w0 = pairOfWeights(entries);
  const w1 = pairOfWeights(entries + 16);
  const w2 = pairOfWeights(entries + 32);
  const w3 = pairOfWeights(entries + 48);
  let at = out + (from << 1);
  for (let j = from; j < to; j += 16) {
    let x = i32x4.splat(0);
    let y = i32x4.splat(0);
    if (!first) {
      x = v128.load(at);
      y = v128.load(at, 16);
    }
    let a = v128.xor(v128.load(a0 + j), flip);
    let b = v128.xor(v128.load(b0 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w0, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w0, secondHalf(a, b)));
    a = v128.xor(v128.load(a1 + j), flip);
    b = v128.xor(v128.load(b1 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w1, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w1, secondHalf(a, b)));
    a = v128.xor(v128.load(a2 + j), flip);
    b = v128.xor(v128.load(b2 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w2, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w2, secondHalf(a, b)));
    a = v128.xor(v128.load(a3 + j), flip);
    b = v128.xor(v128.load(b3 + j), flip);
    x = i32x4.add(x, i32x4.dot_i16x8_s(w3, firstHalf(a, b)));
    y = i32x4.add(y, i32x4.dot_i16x8_s(w3, secondHalf(a, b)));
    v128.store(at, x);
    v128.store(at, y, 16);
    at += 32;
  }
}

/** A pair of updates in one block: addresses of their levels at the segment's start, then up to 4 limbs (c_a, c_b) as two int16. */
const PAIR_BYTES: usize = 24;

/**
 * Adds the rows in blocks. Rows whose blocks begin at the same coordinates are summed together, block by block, without forming q: the
 * coefficient λ·scale is split into limbs once per block, and each level is multiplied by its limbs.
 */
function blocksSum(rows: usize, count: u32, from: u32, to: u32, out: usize, scratch: usize): void {
  const done = scratch + (<usize>count + 8) * ENTRY_BYTES;
  const group = done + ((<usize>count + 64) & ~63);
  const pairs = group + 2 * <usize>INT8_PAIRS * 4;
  memory.fill(done, 0, <usize>count);
  for (let k: u32 = 0; k < count; k++) {
    const first = rowAt(rows, k);
    const kind = kindOf(first);
    if ((kind != INT8 && kind != INT16) || load<u8>(done + k) != 0 || weightOf(first) == 0) continue;
    const most: u32 = 2 * (kind == INT8 ? INT8_PAIRS : INT16_PAIRS);
    let members: u32 = 0;
    for (let i = k; i < count && members < most; i++) {
      const row = rowAt(rows, i);
      if (kindOf(row) != kind || load<u8>(done + i) != 0 || weightOf(row) == 0) continue;
      if (blockSizeOf(row) != blockSizeOf(first) || skipOf(row) != skipOf(first) || originOf(row) != originOf(first)) continue;
      store<u8>(done + i, 1);
      store<u32>(group + (<usize>members << 2), <u32>row);
      members++;
    }
    groupSum(group, members, kind == INT8 ? 1 : 2, from, to, out, pairs);
  }
}

function groupSum(group: usize, members: u32, valueBytes: u32, from: u32, to: u32, out: usize, pairs: usize): void {
  const first = <usize>load<u32>(group);
  const blockSize = blockSizeOf(first);
  const bits = valueBytes == 1 ? INT8_BITS : INT16_BITS;
  const mask: u64 = (1 << bits) - 1;
  const start = skipOf(first) + (from - originOf(first));
  let offset = <usize>(start / blockSize) * blockBytes(blockSize, valueBytes);
  let place = start % blockSize;
  let left = to - from;
  let at = out;
  const ends = pairs + <usize>((members + 1) >> 1) * PAIR_BYTES;
  while (left > 0) {
    const size = min<u32>(left, blockSize - place);
    let every: u64 = 0;
    for (let i: u32 = 0; i < members; i++) {
      const row = <usize>load<u32>(group + (<usize>i << 2));
      const block = dataOf(row) + offset;
      const coefficient = <u64>weightOf(row) * <u64>scaleAt(block);
      every |= coefficient;
      const pair = pairs + <usize>(i >> 1) * PAIR_BYTES + (<usize>(i & 1) << 2);
      store<u32>(pair, <u32>levels(block, valueBytes, place));
      const limbs = pairs + <usize>(i >> 1) * PAIR_BYTES + (<usize>(i & 1) << 1);
      store<u16>(limbs, <u16>(coefficient & mask), 8);
      store<u16>(limbs, <u16>((coefficient >> bits) & mask), 12);
      store<u16>(limbs, <u16>((coefficient >> (2 * bits)) & mask), 16);
      store<u16>(limbs, <u16>((coefficient >> (3 * bits)) & mask), 20);
    }
    if (members & 1) {
      // An odd one out is paired with itself, with coefficient 0.
      const pair = pairs + <usize>(members >> 1) * PAIR_BYTES;
      store<u32>(pair, load<u32>(pair), 4);
      for (let limb: usize = 0; limb < 4; limb++) store<u16>(pair + 10 + (limb << 2), 0);
    }
    const used = <u32>(64 - clz<u64>(every));
    if (valueBytes == 1) {
      if (used <= bits) addBlock<Int8OneLimb>(pairs, ends, size, at);
      else if (used <= 2 * bits) addBlock<Int8TwoLimbs>(pairs, ends, size, at);
      else addBlock<Int8ThreeLimbs>(pairs, ends, size, at);
    } else {
      if (used <= bits) addBlock<Int16OneLimb>(pairs, ends, size, at);
      else if (used <= 2 * bits) addBlock<Int16TwoLimbs>(pairs, ends, size, at);
      else if (used <= 3 * bits) addBlock<Int16ThreeLimbs>(pairs, ends, size, at);
      else addBlock<Int16FourLimbs>(pairs, ends, size, at);
    }
    at += <usize>size << 3;
    left -= size;
    offset += blockBytes(blockSize, valueBytes);
    place = 0;
  }
}

// What a block's loop is compiled for; the types only carry the choice.
class Int8OneLimb {}
class Int8TwoLimbs {}
class Int8ThreeLimbs {}
class Int16OneLimb {}
class Int16TwoLimbs {}
class Int16ThreeLimbs {}
class Int16FourLimbs {}
// @ts-ignore: decorator
@inline function isInt8<T>(): bool {
  return idof<T>() == idof<Int8OneLimb>() || idof<T>() == idof<Int8TwoLimbs>() || idof<T>() == idof<Int8ThreeLimbs>();
}
// @ts-ignore: decorator
@inline function limbsOf<T>(): i32 {
  if (idof<T>() == idof<Int8OneLimb>() || idof<T>() == idof<Int16OneLimb>()) return 1;
  if (idof<T>() == idof<Int8TwoLimbs>() || idof<T>() == idof<Int16TwoLimbs>()) return 2;
  if (idof<T>() == idof<Int8ThreeLimbs>() || idof<T>() == idof<Int16ThreeLimbs>()) return 3;
  return 4;
}

/** Eight coordinates at a time of all pairs: levels of two updates in turn, times limbs, in 2 int32 vectors per limb. */
function addBlock<T>(pairs: usize, ends: usize, size: u32, out: usize): void {
  const room = ends; // After the last pair.
  const one = isInt8<T>() ? INT8_BITS : INT16_BITS;
  const step = f64x2.splat(<f64>(1 << one));
  for (let j: u32 = 0; j < size; j += 8) {
    const offset = <usize>j * (isInt8<T>() ? 1 : 2);
    let x0 = i32x4.splat(0);
    let y0 = i32x4.splat(0);
    let x1 = i32x4.splat(0);
    let y1 = i32x4.splat(0);
    let x2 = i32x4.splat(0);
    let y2 = i32x4.splat(0);
    let x3 = i32x4.splat(0);
    let y3 = i32x4.splat(0);
    for (let pair = pairs; pair < ends; pair += PAIR_BYTES) {
      const a = isInt8<T>() ? v128.load8x8_s(<usize>load<u32>(pair) + offset) : swapped(v128.load(<usize>load<u32>(pair) + offset));
      const b = isInt8<T>() ? v128.load8x8_s(<usize>load<u32>(pair, 4) + offset) : swapped(v128.load(<usize>load<u32>(pair, 4) + offset));
      const x = firstHalf(a, b);
      const y = secondHalf(a, b);
      let c = v128.load32_splat(pair, 8);
      x0 = i32x4.add(x0, i32x4.dot_i16x8_s(c, x));
      y0 = i32x4.add(y0, i32x4.dot_i16x8_s(c, y));
      if (limbsOf<T>() > 1) {
        c = v128.load32_splat(pair, 12);
        x1 = i32x4.add(x1, i32x4.dot_i16x8_s(c, x));
        y1 = i32x4.add(y1, i32x4.dot_i16x8_s(c, y));
      }
      if (limbsOf<T>() > 2) {
        c = v128.load32_splat(pair, 16);
        x2 = i32x4.add(x2, i32x4.dot_i16x8_s(c, x));
        y2 = i32x4.add(y2, i32x4.dot_i16x8_s(c, y));
      }
      if (limbsOf<T>() > 3) {
        c = v128.load32_splat(pair, 20);
        x3 = i32x4.add(x3, i32x4.dot_i16x8_s(c, x));
        y3 = i32x4.add(y3, i32x4.dot_i16x8_s(c, y));
      }
    }
    // Horner's scheme from the highest limb; every step is an integer of at most 2^41.
    let r0 = f64x2.splat(0);
    let r1 = f64x2.splat(0);
    let r2 = f64x2.splat(0);
    let r3 = f64x2.splat(0);
    if (limbsOf<T>() > 3) {
      r0 = f64x2.mul(step, f64x2.add(r0, low(x3)));
      r1 = f64x2.mul(step, f64x2.add(r1, high(x3)));
      r2 = f64x2.mul(step, f64x2.add(r2, low(y3)));
      r3 = f64x2.mul(step, f64x2.add(r3, high(y3)));
    }
    if (limbsOf<T>() > 2) {
      r0 = f64x2.mul(step, f64x2.add(r0, low(x2)));
      r1 = f64x2.mul(step, f64x2.add(r1, high(x2)));
      r2 = f64x2.mul(step, f64x2.add(r2, low(y2)));
      r3 = f64x2.mul(step, f64x2.add(r3, high(y2)));
    }
    if (limbsOf<T>() > 1) {
      r0 = f64x2.mul(step, f64x2.add(r0, low(x1)));
      r1 = f64x2.mul(step, f64x2.add(r1, high(x1)));
      r2 = f64x2.mul(step, f64x2.add(r2, low(y1)));
      r3 = f64x2.mul(step, f64x2.add(r3, high(y1)));
    }
    r0 = f64x2.add(r0, low(x0));
    r1 = f64x2.add(r1, high(x0));
    r2 = f64x2.add(r2, low(y0));
    r3 = f64x2.add(r3, high(y0));
    const at = out + (<usize>j << 3);
    if (size - j >= 8) {
      v128.store(at, f64x2.add(v128.load(at), r0));
      v128.store(at, f64x2.add(v128.load(at, 16), r1), 16);
      v128.store(at, f64x2.add(v128.load(at, 32), r2), 32);
      v128.store(at, f64x2.add(v128.load(at, 48), r3), 48);
    } else {
      v128.store(room, r0);
      v128.store(room, r1, 16);
      v128.store(room, r2, 32);
      v128.store(room, r3, 48);
      for (let i: usize = 0; i < <usize>(size - j); i++) {
        store<f64>(at + (i << 3), load<f64>(at + (i << 3)) + load<f64>(room + (i << 3)));
      }
    }
  }
}

// @ts-ignore: decorator
@inline function low(v: v128): v128 {
  return f64x2.convert_low_i32x4_s(v);
}
// @ts-ignore: decorator
@inline function high(v: v128): v128 {
  return f64x2.convert_low_i32x4_s(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/** Adds what sparse rows store: the rest is 0. Partial sums stay below 2^40. */
function sparseSum(rows: usize, count: u32, from: u32, to: u32, out: usize): void {
  for (let k: u32 = 0; k < count; k++) {
    const row = rowAt(rows, k);
    const weight = <f64>weightOf(row);
    if (kindOf(row) != SPARSE || weight == 0) continue;
    const indices = dataOf(row);
    const values = valuesOf(row);
    const stored = storedOf(row);
    for (let i = lowerBound(indices, stored, from); i < stored; i++) {
      const index = load<u32>(indices + (<usize>i << 2));
      if (index >= to) break;
      const at = out + (<usize>(index - from) << 3);
      store<f64>(at, load<f64>(at) + weight * <f64>load<i32>(values + (<usize>i << 2)));
    }
  }
}
