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

/** Bytes of scratch for K updates: entries of dense rows with heavy weights in parts and filled up to a multiple of 4 (K + 5), a mark per row. */
export function weightedSumScratch(count: u32): usize {
  return (<usize>count + 8) * ENTRY_BYTES + <usize>count + 128 + BLOCKS_SCRATCH;
}

/** @param out address of the result of coordinate `from`. */
export function weightedSum(rows: usize, count: u32, from: u32, to: u32, out: usize, scratch: usize): void {
  const dense = denseSum(rows, count, from, to, out, scratch);
  if (!blocksSum(rows, count, from, to, out, scratch, dense)) memory.fill(out, 0, <usize>(to - from) << 3);
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
@inline function joined(sums: v128): v128 {
  const lower = i8x16.shuffle(sums, sums, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  const upper = i8x16.shuffle(sums, sums, 4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15);
  return f64x2.add(f64x2.mul(f64x2.splat(65_536.0), f64x2.convert_low_i32x4_s(upper)), f64x2.convert_low_i32x4_s(lower));
}

/** int16 halves of two updates' first two coordinates in turn: (u_a, u_b, h_a, h_b) of each. */
@inline function firstHalf(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
@inline function secondHalf(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}
/** The weights of two entries, λ_a and λ_b, in turn. */
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

/**
 * What is read of one stream of blocks before the next one's turn, 2 048 coordinates of int8 and 512 of int16: some tens of cache lines in a row, so
 * that hardware follows the streams; a line of each in turn takes twice as long (measured). The sums of a run's limbs stay in the first-level cache.
 */
const BLOCKS_RUN: u32 = 2048;
const LIMB_BYTES: usize = <usize>BLOCKS_RUN * 4;
/** Eight streams' part of one block: 8 addresses of levels, then for each of up to 4 limbs 4 pairs (c_a, c_b) of int16. */
const PIECE_BYTES: usize = 32 + 4 * 16;
/** Members of a group, filled up to a multiple of 8: addresses of their data, then their weights. */
const GROUP_BYTES: usize = (2 * <usize>INT8_PAIRS + 8) * 4;
/** A group, the piece at hand, a constant, sums of 4 limbs with room for a whole last vector. */
const BLOCKS_SCRATCH: usize = 2 * GROUP_BYTES + PIECE_BYTES + 32 + 4 * LIMB_BYTES + 64;

/**
 * Adds the rows in blocks. Rows whose blocks begin at the same coordinates are summed together without forming q: the coefficient λ·scale is
 * split into limbs once per block, and each level is multiplied by its limbs.
 *
 * @param written whether `out` holds results already. @returns whether it does now.
 */
function blocksSum(rows: usize, count: u32, from: u32, to: u32, out: usize, scratch: usize, written: bool): bool {
  const done = scratch + (<usize>count + 8) * ENTRY_BYTES;
  const group = (done + <usize>count + 63) & ~63;
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
      setMember(group, members, dataOf(row), weightOf(row));
      members++;
    }
    for (let rest = members; rest % 8 != 0; rest++) setMember(group, rest, dataOf(first), 0);
    if (kind == INT8) groupSum<Int8>(group, members, first, from, to, out, !written);
    else groupSum<Int16>(group, members, first, from, to, out, !written);
    written = true;
  }
  return written;
}

@inline function setMember(group: usize, member: u32, data: usize, weight: u32): void {
  store<u32>(group + (<usize>member << 2), <u32>data);
  store<u32>(group + (<usize>member << 2), weight, GROUP_BYTES);
}

// Bytes of a level; the types only carry the choice.
class Int8 {}
class Int16 {}
@inline function bitsOf<T>(): u32 {
  return idof<T>() == idof<Int8>() ? INT8_BITS : INT16_BITS;
}
@inline function bytesOf<T>(): u32 {
  return idof<T>() == idof<Int8>() ? 1 : 2;
}

/** @param alone whether `out` holds nothing yet. */
function groupSum<T>(group: usize, members: u32, first: usize, from: u32, to: u32, out: usize, alone: bool): void {
  const blockSize = blockSizeOf(first);
  const wholeBlock = blockBytes(blockSize, bytesOf<T>());
  const start = skipOf(first) + (from - originOf(first));
  const piece = group + 2 * GROUP_BYTES;
  const step = piece + PIECE_BYTES;
  const sums = step + 32;
  store<f64>(step, <f64>(1 << bitsOf<T>()));
  const most: u32 = idof<T>() == idof<Int8>() ? BLOCKS_RUN : BLOCKS_RUN / 4;
  for (let run: u32 = 0; run < to - from; run += most) {
    const length = min<u32>(most, to - from - run);
    const firstOffset = <usize>((start + run) / blockSize) * wholeBlock;
    const firstPlace = (start + run) % blockSize;
    let limbs: u32 = 0;
    for (let eight: u32 = 0; eight < members; eight += 8) {
      const streams = min<u32>(8, members - eight);
      let offset = firstOffset;
      let place = firstPlace;
      for (let at: u32 = 0; at < length; ) {
        const size = min<u32>(length - at, blockSize - place);
        const used = setUp<T>(piece, group + (<usize>eight << 2), <u32>offset, place);
        if (used > limbs) {
          clear(sums + <usize>limbs * LIMB_BYTES, sums + <usize>used * LIMB_BYTES);
          limbs = used;
        }
        addPiece<T>(piece, used, streams, size, sums + (<usize>at << 2));
        at += size;
        place = 0;
        offset += wholeBlock;
      }
    }
    addLimbs(limbs, length, step, sums, out + (<usize>run << 3), alone);
  }
}

/** Zeros at [from, to), whole vectors. */
function clear(from: usize, to: usize): void {
  for (let at = from; at < to; at += 16) v128.store(at, i64x2.splat(0));
}

/** Coefficients and addresses of 8 streams in one block. @returns limbs of the longest coefficient, at least 1. */
function setUp<T>(piece: usize, group: usize, offset: u32, place: u32): u32 {
  const blocks = i32x4.splat(offset);
  const skipped = i32x4.splat(<u32>levels(0, bytesOf<T>(), place));
  const x = i32x4.add(blocks, v128.load(group));
  const y = i32x4.add(blocks, v128.load(group, 16));
  v128.store(piece, i32x4.add(x, skipped));
  v128.store(piece, i32x4.add(y, skipped), 16);
  const s = scales(x);
  const t = scales(y);
  // Coefficients of two streams each, below 2^41.
  const v = v128.load(group, GROUP_BYTES);
  const w = v128.load(group, GROUP_BYTES + 16);
  let a = i64x2.extmul_low_i32x4_u(s, v);
  let b = i64x2.extmul_high_i32x4_u(s, v);
  let c = i64x2.extmul_low_i32x4_u(t, w);
  let d = i64x2.extmul_high_i32x4_u(t, w);
  const every = v128.or(v128.or(a, b), v128.or(c, d));
  let rest = i64x2.extract_lane(every, 0) | i64x2.extract_lane(every, 1);
  let used: u32 = 0;
  do {
    // Their low bits as pairs of int16.
    const low = i8x16.shuffle(a, b, 0, 1, 8, 9, 16, 17, 24, 25, 0, 1, 8, 9, 16, 17, 24, 25);
    const high = i8x16.shuffle(c, d, 0, 1, 8, 9, 16, 17, 24, 25, 0, 1, 8, 9, 16, 17, 24, 25);
    const packed = i8x16.shuffle(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    v128.store(piece + (<usize>used << 4), v128.and(packed, i16x8.splat(<i16>(((<i32>1) << <i32>bitsOf<T>()) - 1))), 32);
    a = i64x2.shr_u(a, bitsOf<T>());
    b = i64x2.shr_u(b, bitsOf<T>());
    c = i64x2.shr_u(c, bitsOf<T>());
    d = i64x2.shr_u(d, bitsOf<T>());
    rest >>= bitsOf<T>();
    used++;
  } while (rest != 0);
  return used;
}

/** The scales of the blocks at four addresses. */
@inline function scales(blocks: v128): v128 {
  let v = v128.load32_zero(<usize>i32x4.extract_lane(blocks, 0));
  v = v128.load32_lane(<usize>i32x4.extract_lane(blocks, 1), v, 1);
  v = v128.load32_lane(<usize>i32x4.extract_lane(blocks, 2), v, 2);
  v = v128.load32_lane(<usize>i32x4.extract_lane(blocks, 3), v, 3);
  return i8x16.shuffle(v, v, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

// What a piece's loop is compiled for; the types only carry the choice.
class Int8OneLimb {}
class Int8TwoLimbs {}
class Int8ThreeLimbs {}
class Int16OneLimb {}
class Int16TwoLimbs {}
class Int16ThreeLimbs {}
class Int16FourLimbs {}
class FourStreams {}
class EightStreams {}
@inline function isInt8<T>(): bool {
  return idof<T>() == idof<Int8OneLimb>() || idof<T>() == idof<Int8TwoLimbs>() || idof<T>() == idof<Int8ThreeLimbs>();
}
@inline function limbsOf<T>(): i32 {
  if (idof<T>() == idof<Int8OneLimb>() || idof<T>() == idof<Int16OneLimb>()) return 1;
  if (idof<T>() == idof<Int8TwoLimbs>() || idof<T>() == idof<Int16TwoLimbs>()) return 2;
  if (idof<T>() == idof<Int8ThreeLimbs>() || idof<T>() == idof<Int16ThreeLimbs>()) return 3;
  return 4;
}

/** Adds a piece's products to the sums of its limbs. */
function addPiece<T>(piece: usize, limbs: u32, streams: u32, size: u32, sums: usize): void {
  if (idof<T>() == idof<Int8>()) {
    if (limbs == 1) addStreams<Int8OneLimb>(piece, streams, size, sums);
    else if (limbs == 2) addStreams<Int8TwoLimbs>(piece, streams, size, sums);
    else addStreams<Int8ThreeLimbs>(piece, streams, size, sums);
  } else if (limbs == 1) addStreams<Int16OneLimb>(piece, streams, size, sums);
  else if (limbs == 2) addStreams<Int16TwoLimbs>(piece, streams, size, sums);
  else if (limbs == 3) addStreams<Int16ThreeLimbs>(piece, streams, size, sums);
  else addStreams<Int16FourLimbs>(piece, streams, size, sums);
}

function addStreams<T>(piece: usize, streams: u32, size: u32, sums: usize): void {
  if (streams > 4) addVectors<T, EightStreams>(piece, size & ~7, sums);
  else addVectors<T, FourStreams>(piece, size & ~7, sums);
  for (let j = size & ~7; j < size; j++) {
    for (let i: u32 = 0; i < streams; i++) {
      const address = <usize>load<u32>(piece + (<usize>i << 2));
      const level: i32 = isInt8<T>() ? load<i8>(address + j) : <i16>bswap<u16>(load<u16>(address + (<usize>j << 1)));
      for (let limb: i32 = 0; limb < limbsOf<T>(); limb++) {
        const at = sums + <usize>limb * LIMB_BYTES + (<usize>j << 2);
        store<i32>(at, load<i32>(at) + level * load<u16>(piece + (<usize>limb << 4) + (<usize>i << 1), 32));
      }
    }
  }
}

/** Eight levels as int16. */
@inline function levelsAt<T>(address: usize): v128 {
  return isInt8<T>() ? v128.load8x8_s(address) : swapped(v128.load(address));
}

/** Eight coordinates at a time: levels of two updates in turn, times limbs, in 2 int32 vectors per limb. */
function addVectors<T, Streams>(piece: usize, size: u32, sums: usize): void {
  const eight = idof<Streams>() == idof<EightStreams>();
  const c00 = v128.load32_splat(piece, 32);
  const c01 = v128.load32_splat(piece, 36);
  const c02 = v128.load32_splat(piece, 40);
  const c03 = v128.load32_splat(piece, 44);
  const c10 = v128.load32_splat(piece, 48);
  const c11 = v128.load32_splat(piece, 52);
  const c12 = v128.load32_splat(piece, 56);
  const c13 = v128.load32_splat(piece, 60);
  const c20 = v128.load32_splat(piece, 64);
  const c21 = v128.load32_splat(piece, 68);
  const c22 = v128.load32_splat(piece, 72);
  const c23 = v128.load32_splat(piece, 76);
  const c30 = v128.load32_splat(piece, 80);
  const c31 = v128.load32_splat(piece, 84);
  const c32 = v128.load32_splat(piece, 88);
  const c33 = v128.load32_splat(piece, 92);
  const a0 = <usize>load<u32>(piece);
  const b0 = <usize>load<u32>(piece, 4);
  const a1 = <usize>load<u32>(piece, 8);
  const b1 = <usize>load<u32>(piece, 12);
  const a2 = <usize>load<u32>(piece, 16);
  const b2 = <usize>load<u32>(piece, 20);
  const a3 = <usize>load<u32>(piece, 24);
  const b3 = <usize>load<u32>(piece, 28);
  const stop = sums + (<usize>size << 2);
  let j: usize = 0;
  for (let at = sums; at < stop; at += 32) {
    let a = levelsAt<T>(a0 + j);
    let b = levelsAt<T>(b0 + j);
    let x = firstHalf(a, b);
    let y = secondHalf(a, b);
    let x0 = i32x4.add(v128.load(at), i32x4.dot_i16x8_s(c00, x));
    let y0 = i32x4.add(v128.load(at, 16), i32x4.dot_i16x8_s(c00, y));
    let x1 = x0;
    let y1 = y0;
    let x2 = x0;
    let y2 = y0;
    let x3 = x0;
    let y3 = y0;
    if (limbsOf<T>() > 1) {
      x1 = i32x4.add(v128.load(at, LIMB_BYTES), i32x4.dot_i16x8_s(c10, x));
      y1 = i32x4.add(v128.load(at, LIMB_BYTES + 16), i32x4.dot_i16x8_s(c10, y));
    }
    if (limbsOf<T>() > 2) {
      x2 = i32x4.add(v128.load(at, 2 * LIMB_BYTES), i32x4.dot_i16x8_s(c20, x));
      y2 = i32x4.add(v128.load(at, 2 * LIMB_BYTES + 16), i32x4.dot_i16x8_s(c20, y));
    }
    if (limbsOf<T>() > 3) {
      x3 = i32x4.add(v128.load(at, 3 * LIMB_BYTES), i32x4.dot_i16x8_s(c30, x));
      y3 = i32x4.add(v128.load(at, 3 * LIMB_BYTES + 16), i32x4.dot_i16x8_s(c30, y));
    }
    a = levelsAt<T>(a1 + j);
    b = levelsAt<T>(b1 + j);
    x = firstHalf(a, b);
    y = secondHalf(a, b);
    x0 = i32x4.add(x0, i32x4.dot_i16x8_s(c01, x));
    y0 = i32x4.add(y0, i32x4.dot_i16x8_s(c01, y));
    if (limbsOf<T>() > 1) {
      x1 = i32x4.add(x1, i32x4.dot_i16x8_s(c11, x));
      y1 = i32x4.add(y1, i32x4.dot_i16x8_s(c11, y));
    }
    if (limbsOf<T>() > 2) {
      x2 = i32x4.add(x2, i32x4.dot_i16x8_s(c21, x));
      y2 = i32x4.add(y2, i32x4.dot_i16x8_s(c21, y));
    }
    if (limbsOf<T>() > 3) {
      x3 = i32x4.add(x3, i32x4.dot_i16x8_s(c31, x));
      y3 = i32x4.add(y3, i32x4.dot_i16x8_s(c31, y));
    }
    if (eight) {
      a = levelsAt<T>(a2 + j);
      b = levelsAt<T>(b2 + j);
      x = firstHalf(a, b);
      y = secondHalf(a, b);
      x0 = i32x4.add(x0, i32x4.dot_i16x8_s(c02, x));
      y0 = i32x4.add(y0, i32x4.dot_i16x8_s(c02, y));
      if (limbsOf<T>() > 1) {
        x1 = i32x4.add(x1, i32x4.dot_i16x8_s(c12, x));
        y1 = i32x4.add(y1, i32x4.dot_i16x8_s(c12, y));
      }
      if (limbsOf<T>() > 2) {
        x2 = i32x4.add(x2, i32x4.dot_i16x8_s(c22, x));
        y2 = i32x4.add(y2, i32x4.dot_i16x8_s(c22, y));
      }
      if (limbsOf<T>() > 3) {
        x3 = i32x4.add(x3, i32x4.dot_i16x8_s(c32, x));
        y3 = i32x4.add(y3, i32x4.dot_i16x8_s(c32, y));
      }
      a = levelsAt<T>(a3 + j);
      b = levelsAt<T>(b3 + j);
      x = firstHalf(a, b);
      y = secondHalf(a, b);
      x0 = i32x4.add(x0, i32x4.dot_i16x8_s(c03, x));
      y0 = i32x4.add(y0, i32x4.dot_i16x8_s(c03, y));
      if (limbsOf<T>() > 1) {
        x1 = i32x4.add(x1, i32x4.dot_i16x8_s(c13, x));
        y1 = i32x4.add(y1, i32x4.dot_i16x8_s(c13, y));
      }
      if (limbsOf<T>() > 2) {
        x2 = i32x4.add(x2, i32x4.dot_i16x8_s(c23, x));
        y2 = i32x4.add(y2, i32x4.dot_i16x8_s(c23, y));
      }
      if (limbsOf<T>() > 3) {
        x3 = i32x4.add(x3, i32x4.dot_i16x8_s(c33, x));
        y3 = i32x4.add(y3, i32x4.dot_i16x8_s(c33, y));
      }
    }
    v128.store(at, x0);
    v128.store(at, y0, 16);
    if (limbsOf<T>() > 1) {
      v128.store(at, x1, LIMB_BYTES);
      v128.store(at, y1, LIMB_BYTES + 16);
    }
    if (limbsOf<T>() > 2) {
      v128.store(at, x2, 2 * LIMB_BYTES);
      v128.store(at, y2, 2 * LIMB_BYTES + 16);
    }
    if (limbsOf<T>() > 3) {
      v128.store(at, x3, 3 * LIMB_BYTES);
      v128.store(at, y3, 3 * LIMB_BYTES + 16);
    }
    j += isInt8<T>() ? 8 : 16;
  }
}

/**
 * Adds a run's limbs to its results by Horner's scheme from the highest; every step is an integer of at most 2^41.
 *
 * @param step address of 2^bits as float64: a constant would be made anew each time.
 */
function addLimbs(limbs: u32, length: u32, step: usize, sums: usize, out: usize, first: bool): void {
  if (limbs == 1) addRun<OneLimb>(length, step, sums, out, first);
  else if (limbs == 2) addRun<TwoLimbs>(length, step, sums, out, first);
  else if (limbs == 3) addRun<ThreeLimbs>(length, step, sums, out, first);
  else addRun<FourLimbs>(length, step, sums, out, first);
}

class OneLimb {}
class TwoLimbs {}
class ThreeLimbs {}
class FourLimbs {}

function addRun<T>(length: u32, step: usize, sums: usize, out: usize, first: bool): void {
  const factor = v128.load64_splat(step);
  const whole = sums + (<usize>(length & ~3) << 2);
  let target = out;
  let at = sums;
  if (first) {
    for (; at < whole; at += 16) {
      v128.store(target, joinedLimbs<T>(at, factor));
      v128.store(target, joinedLimbs<T>(at + 8, factor), 16);
      target += 32;
    }
  } else {
    for (; at < whole; at += 16) {
      v128.store(target, f64x2.add(v128.load(target), joinedLimbs<T>(at, factor)));
      v128.store(target, f64x2.add(v128.load(target, 16), joinedLimbs<T>(at + 8, factor)), 16);
      target += 32;
    }
  }
  for (; at < sums + (<usize>length << 2); at += 4) {
    const sum = f64x2.extract_lane(joinedLimbs<T>(at, factor), 0);
    store<f64>(target, first ? sum : load<f64>(target) + sum);
    target += 8;
  }
}

@inline function joinedLimbs<T>(at: usize, factor: v128): v128 {
  let sum = f64x2.splat(0);
  if (idof<T>() == idof<FourLimbs>()) sum = f64x2.mul(factor, limb(at, 3 * LIMB_BYTES));
  if (idof<T>() == idof<FourLimbs>()) sum = f64x2.mul(factor, f64x2.add(sum, limb(at, 2 * LIMB_BYTES)));
  if (idof<T>() == idof<ThreeLimbs>()) sum = f64x2.mul(factor, limb(at, 2 * LIMB_BYTES));
  if (idof<T>() == idof<ThreeLimbs>() || idof<T>() == idof<FourLimbs>()) sum = f64x2.mul(factor, f64x2.add(sum, limb(at, LIMB_BYTES)));
  if (idof<T>() == idof<TwoLimbs>()) sum = f64x2.mul(factor, limb(at, LIMB_BYTES));
  if (idof<T>() == idof<OneLimb>()) return limb(at, 0);
  return f64x2.add(sum, limb(at, 0));
}
/** Two coordinates of a limb. */
@inline function limb(at: usize, offset: usize): v128 {
  return f64x2.convert_low_i32x4_s(v128.load64_zero(at + offset));
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
