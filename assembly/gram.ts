// SPDX-License-Identifier: Apache-2.0
// Exact inner products of all pairs of rows, tile by tile of coordinates.
import { rowAt, valuesAt } from "./rows";

/** Coordinates per tile: K rows of 2 KiB stay in the second-level cache for K up to some hundred. */
export const GRAM_TILE: u32 = 1024;
const PLANE_ROW: usize = 2048;
const STEPS: u32 = GRAM_TILE / 8;
/** Rows of a band that every block of rows meets before the next band: 192 KiB. */
const BAND: u32 = 96;
/** Rows are taken three and three: nine accumulators, three vectors of one side and one of the other fit in sixteen registers. */
const BLOCK: u32 = 3;

/**
 * How many steps of eight int16 products a lane of int32 may take before it is widened to int64. A step adds two products to each lane, so
 * n steps are safe iff 2·n·|x|·|y| < 2^31 for the largest |x| and |y|.
 *
 * What a tile is split into depends on its largest |q| = M:
 *  M ≤ 13 377            one plane of q; n = ⌊(2^31 − 1) / 2M²⌋, which is 6 at 13 377 and 128 (no widening within a tile) up to 2 896. Beyond
 *                        13 377 widening costs more than the second product of the next way.
 *  M ≤ 32 767            q = 2^8·h + l, −128 ≤ l < 128, |h| ≤ 128, against q itself: 2·n·128·32 767 < 2^31 for n ≤ 256.
 *                        ⟨x, y⟩ = 2^8·⟨h_x, y⟩ + ⟨l_x, y⟩.
 *  M < 2^24              q = 2^12·h + l, −2^11 ≤ l < 2^11, |h| ≤ 2^12 and s = h + l, |s| ≤ 6 144. With the Gram matrices H, L, S of these planes
 *                        ⟨x, y⟩ = 2^24·H + 2^12·(S − H − L) + L, three products instead of four.
 *                        L: 2·n·2^22 < 2^31 for n ≤ 255. H: 2·n·2^24 < 2^31 for n ≤ 63, of which 62 are taken. S: 2·n·6 144² < 2^31 for n ≤ 28.
 * −32 768 is in no plane.
 */
const DIRECT_LARGEST: i32 = 13_377;
const INT16_LARGEST: i32 = 32_767;
const UPPER_STEPS: u32 = 62;
const SUM_STEPS: u32 = 28;

/** Ways to split a tile; a thread begins a tile in the way that the last one needed. */
const DIRECT: u32 = 0;
const MIXED: u32 = 1;
const LIMBS: u32 = 2;

/** Rows filled up with zeros to whole blocks. */
@inline function padded(count: u32): u32 {
  return ((count + BLOCK - 1) / BLOCK) * BLOCK;
}
/** Bytes of one plane. */
@inline function planeBytes(count: u32): usize {
  return <usize>padded(count) * PLANE_ROW;
}

/** Bytes of scratch for K rows: three planes, a decoded row, and the way of the last tile. */
export function gramScratch(count: u32): usize {
  return 3 * planeBytes(count) + (<usize>GRAM_TILE + 16) * 4 + 64;
}

/**
 * Bytes of the sums of one thread: for each pair (i, k), row by row of a padded matrix, int64 `lower` and in a second matrix int64 `upper`;
 * ⟨x_i, x_k⟩ = 2^24·upper + lower for i ≤ k. Zeros at the start.
 *
 * A coordinate changes `lower` by at most 2^12·(|s s'| + |h h'| + |l l'|) < 2^12·2^26 = 2^38 and `upper` by 2^24, so both hold for 2^24 coordinates.
 */
export function gramSums(count: u32): usize {
  return 2 * <usize>padded(count) * <usize>padded(count) * 8;
}

/** Adds the inner products over coordinates [from, to) to `sums`. */
export function gram(rows: usize, count: u32, from: u32, to: u32, sums: usize, scratch: usize): void {
  for (let at = from; at < to; at += GRAM_TILE) addTile(rows, count, at, min<u32>(to, at + GRAM_TILE), sums, scratch);
}

function addTile(rows: usize, count: u32, from: u32, to: u32, sums: usize, scratch: usize): void {
  const plane = planeBytes(count);
  const p0 = scratch;
  const p1 = scratch + plane;
  const p2 = p1 + plane;
  const room = p2 + plane;
  const way = room + (<usize>GRAM_TILE + 16) * 4;
  let split = load<u32>(way);
  if (split == DIRECT) {
    const largest = narrow(rows, count, from, to, p0, room);
    split = largest <= DIRECT_LARGEST ? DIRECT : largest <= INT16_LARGEST ? MIXED : LIMBS;
    if (split == DIRECT) {
      const most = <u32>max<i32>(largest, 1);
      // 2M² ≤ 2·13 377² < 2^31.
      addPairs<Whole>(p0, p0, count, steps(from, to), 0x7fff_ffff / (2 * most * most), sums);
      return;
    }
  }
  let largest: i32 = 0;
  if (split == MIXED) {
    largest = splitMixed(rows, count, from, to, p0, p1, p2, room);
    if (largest > INT16_LARGEST) split = LIMBS;
    else {
      addPairs<Upper8>(p1, p0, count, steps(from, to), STEPS, sums);
      addPairs<Whole>(p2, p0, count, steps(from, to), STEPS, sums);
    }
  }
  if (split == LIMBS) {
    largest = splitLimbs(rows, count, from, to, p0, p1, p2, room);
    addPairs<Lower12>(p0, p0, count, steps(from, to), STEPS, sums);
    addPairs<Upper12>(p1, p1, count, steps(from, to), UPPER_STEPS, sums);
    addPairs<Both12>(p2, p2, count, steps(from, to), SUM_STEPS, sums);
  }
  store<u32>(way, largest <= DIRECT_LARGEST ? DIRECT : largest <= INT16_LARGEST ? MIXED : LIMBS);
}

/** Steps of eight, an even number. */
@inline function steps(from: u32, to: u32): u32 {
  return ((to - from + 15) >> 4) << 1;
}

/** Values of a row, filled up with zeros to whole pairs of steps: in place if that is not needed. */
function wholeRow(row: usize, from: u32, to: u32, room: usize): usize {
  const size = to - from;
  const values = valuesAt(row, from, to, room);
  const whole = steps(from, to) << 3;
  if (whole == size) return values;
  if (values != room) memory.copy(room, values, <usize>size << 2);
  memory.fill(room + (<usize>size << 2), 0, <usize>(whole - size) << 2);
  return room;
}

/** Zeros in the rows that fill the last block. */
function clearPadding(plane: usize, count: u32): void {
  const rest = padded(count) - count;
  if (rest > 0) memory.fill(plane + <usize>count * PLANE_ROW, 0, <usize>rest * PLANE_ROW);
}

/** Largest of four lanes of |q| ≤ 2^24. */
@inline function largestLane(v: v128): i32 {
  return max(max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1)), max(i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3)));
}

/** Saturated int16 of all rows. @returns the largest |q|; the plane is q itself if that is at most 32 767. */
function narrow(rows: usize, count: u32, from: u32, to: u32, plane: usize, room: usize): i32 {
  let largest = i32x4.splat(0);
  for (let k: u32 = 0; k < count; k++) {
    const values = wholeRow(rowAt(rows, k), from, to, room);
    const target = plane + <usize>k * PLANE_ROW;
    const bytes = <usize>steps(from, to) << 4;
    for (let at: usize = 0; at < bytes; at += 16) {
      const a = v128.load(values + (at << 1));
      const b = v128.load(values + (at << 1), 16);
      largest = i32x4.max_s(largest, i32x4.max_s(i32x4.abs(a), i32x4.abs(b)));
      v128.store(target + at, i16x8.narrow_i32x4_s(a, b));
    }
  }
  clearPadding(plane, count);
  return largestLane(largest);
}

/** Planes of q, h and l with q = 2^8·h + l. @returns the largest |q|. */
function splitMixed(rows: usize, count: u32, from: u32, to: u32, whole: usize, upper: usize, lower: usize, room: usize): i32 {
  const largest = narrow(rows, count, from, to, whole, room);
  for (let at: usize = 0; at < <usize>padded(count) * PLANE_ROW; at += 16) {
    const q = v128.load(whole + at);
    // l is the lower byte read as int8, h the rest: (q − l) / 2^8. q − l ≤ 32 767 + 128 would leave int16, so h = (q >> 8) + (bit 7 of q).
    const l = i16x8.shr_s(i16x8.shl(q, 8), 8);
    const h = i16x8.add(i16x8.shr_s(q, 8), v128.and(i16x8.shr_u(q, 7), i16x8.splat(1)));
    v128.store(upper + at, h);
    v128.store(lower + at, l);
  }
  return largest;
}

/** Planes of l, h and h + l with q = 2^12·h + l. @returns the largest |q|. */
function splitLimbs(rows: usize, count: u32, from: u32, to: u32, lower: usize, upper: usize, both: usize, room: usize): i32 {
  const half = i32x4.splat(2_048);
  let largest = i32x4.splat(0);
  for (let k: u32 = 0; k < count; k++) {
    const values = wholeRow(rowAt(rows, k), from, to, room);
    const target = <usize>k * PLANE_ROW;
    const bytes = <usize>steps(from, to) << 4;
    for (let at: usize = 0; at < bytes; at += 16) {
      const a = v128.load(values + (at << 1));
      const b = v128.load(values + (at << 1), 16);
      largest = i32x4.max_s(largest, i32x4.max_s(i32x4.abs(a), i32x4.abs(b)));
      const ha = i32x4.shr_s(i32x4.add(a, half), 12);
      const hb = i32x4.shr_s(i32x4.add(b, half), 12);
      const h = i16x8.narrow_i32x4_s(ha, hb);
      const l = i16x8.narrow_i32x4_s(i32x4.sub(a, i32x4.shl(ha, 12)), i32x4.sub(b, i32x4.shl(hb, 12)));
      v128.store(upper + target + at, h);
      v128.store(lower + target + at, l);
      v128.store(both + target + at, i16x8.add(h, l));
    }
  }
  clearPadding(lower, count);
  clearPadding(upper, count);
  clearPadding(both, count);
  return largestLane(largest);
}

// What becomes of an inner product of two planes' rows; the types only carry the choice.
/** lower += p */
class Whole {}
/** lower += 2^8·p */
class Upper8 {}
/** lower += p − 2^12·p */
class Lower12 {}
/** upper += p, lower −= 2^12·p */
class Upper12 {}
/** lower += 2^12·p */
class Both12 {}

/** Adds the inner products of two planes' rows, widened every `interval` steps. */
function addPairs<T>(xs: usize, ys: usize, count: u32, length: u32, interval: u32, sums: usize): void {
  const all = padded(count);
  const bytes = <usize>length << 4;
  const stretch = <usize>min<u32>(interval & ~1, STEPS) << 4;
  for (let band: u32 = 0; band < all; band += BAND) {
    const end = min<u32>(all, band + BAND);
    for (let i: u32 = 0; i < end; i += BLOCK) {
      for (let k = max<u32>(i, band); k < end; k += BLOCK) {
        addBlock<T>(xs + <usize>i * PLANE_ROW, ys + <usize>k * PLANE_ROW, bytes, stretch, sums + (<usize>(i * all + k) << 3), all);
      }
    }
  }
}

/** Nine inner products, of three rows with three. Two steps of eight at a time: `bytes` and `stretch` are multiples of 32. */
function addBlock<T>(x: usize, y: usize, bytes: usize, stretch: usize, sums: usize, all: u32): void {
  for (let begin: usize = 0; begin < bytes; begin += stretch) {
    const end = min<usize>(bytes, begin + stretch);
    let s00 = i32x4.splat(0);
    let s01 = i32x4.splat(0);
    let s02 = i32x4.splat(0);
    let s10 = i32x4.splat(0);
    let s11 = i32x4.splat(0);
    let s12 = i32x4.splat(0);
    let s20 = i32x4.splat(0);
    let s21 = i32x4.splat(0);
    let s22 = i32x4.splat(0);
    const stop = x + end;
    let q = y + begin;
    for (let p = x + begin; p < stop; p += 32) {
      let x0 = v128.load(p);
      let x1 = v128.load(p, 2048);
      let x2 = v128.load(p, 4096);
      let v = v128.load(q);
      s00 = i32x4.add(s00, i32x4.dot_i16x8_s(x0, v));
      s10 = i32x4.add(s10, i32x4.dot_i16x8_s(x1, v));
      s20 = i32x4.add(s20, i32x4.dot_i16x8_s(x2, v));
      v = v128.load(q, 2048);
      s01 = i32x4.add(s01, i32x4.dot_i16x8_s(x0, v));
      s11 = i32x4.add(s11, i32x4.dot_i16x8_s(x1, v));
      s21 = i32x4.add(s21, i32x4.dot_i16x8_s(x2, v));
      v = v128.load(q, 4096);
      s02 = i32x4.add(s02, i32x4.dot_i16x8_s(x0, v));
      s12 = i32x4.add(s12, i32x4.dot_i16x8_s(x1, v));
      s22 = i32x4.add(s22, i32x4.dot_i16x8_s(x2, v));
      x0 = v128.load(p, 16);
      x1 = v128.load(p, 2064);
      x2 = v128.load(p, 4112);
      v = v128.load(q, 16);
      s00 = i32x4.add(s00, i32x4.dot_i16x8_s(x0, v));
      s10 = i32x4.add(s10, i32x4.dot_i16x8_s(x1, v));
      s20 = i32x4.add(s20, i32x4.dot_i16x8_s(x2, v));
      v = v128.load(q, 2064);
      s01 = i32x4.add(s01, i32x4.dot_i16x8_s(x0, v));
      s11 = i32x4.add(s11, i32x4.dot_i16x8_s(x1, v));
      s21 = i32x4.add(s21, i32x4.dot_i16x8_s(x2, v));
      v = v128.load(q, 4112);
      s02 = i32x4.add(s02, i32x4.dot_i16x8_s(x0, v));
      s12 = i32x4.add(s12, i32x4.dot_i16x8_s(x1, v));
      s22 = i32x4.add(s22, i32x4.dot_i16x8_s(x2, v));
      q += 32;
    }
    const next = <usize>all << 3;
    const upper = <usize>all * next;
    addSums<T>(sums, upper, s00, s01, s02);
    addSums<T>(sums + next, upper, s10, s11, s12);
    addSums<T>(sums + 2 * next, upper, s20, s21, s22);
  }
}

/** Adds three neighbouring inner products, each the sum of a vector's lanes. */
@inline function addSums<T>(at: usize, upper: usize, a: v128, b: v128, c: v128): void {
  const x = widened(a);
  const y = widened(b);
  const z = widened(c);
  const two = i64x2.add(
    i8x16.shuffle(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
  const third = i64x2.add(z, i8x16.shuffle(z, z, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  v128.store(at, i64x2.add(v128.load(at), share<T>(two)));
  v128.store64_lane(at, i64x2.add(v128.load64_zero(at, 16), share<T>(third)), 0, 16);
  if (idof<T>() == idof<Upper12>()) {
    v128.store(at + upper, i64x2.add(v128.load(at + upper), two));
    v128.store64_lane(at + upper, i64x2.add(v128.load64_zero(at + upper, 16), third), 0, 16);
  }
}

@inline function widened(v: v128): v128 {
  return i64x2.add(i64x2.extend_low_i32x4_s(v), i64x2.extend_high_i32x4_s(v));
}

/** What `lower` gains. */
@inline function share<T>(products: v128): v128 {
  if (idof<T>() == idof<Upper8>()) return i64x2.shl(products, 8);
  if (idof<T>() == idof<Lower12>()) return i64x2.sub(products, i64x2.shl(products, 12));
  if (idof<T>() == idof<Upper12>()) return i64x2.neg(i64x2.shl(products, 12));
  if (idof<T>() == idof<Both12>()) return i64x2.shl(products, 12);
  return products;
}
