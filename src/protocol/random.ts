// SPDX-License-Identifier: Apache-2.0

/**
 * Keyed, counter-based randomness.
 *
 * A stream is named by a seed and labels (what it is for, which round, which member, …). Equal names give equal streams on
 * every machine and different names independent ones, so anything drawn can be drawn again alone, out of order, or years
 * later by an auditor: there is never one sequential generator whose state depends on what happened before.
 *
 *     key     = SHA-256(DOMAIN ‖ item(seed) ‖ item(label_1) ‖ …)
 *     block_i = SHA-256(key ‖ i as uint64), i = 0, 1, …; read as eight uint32
 *     item(x) = kind (1 text, 2 integer, 3 bytes) ‖ byte length as uint32 ‖ bytes
 *               (text in UTF-8; integers in decimal, so 7 and 7n are one name; all big-endian)
 *
 * The encoding is injective, so no two names share a key. Derived quantities use only exact arithmetic and `math.ts`, so
 * they are agreed bit for bit too; `test/vectors/random.json` pins them. Not for secrets: whoever knows the name knows the stream.
 */

import { hash } from "node:crypto";
import { exp, log } from "./math.ts";

/** One part of a stream's name. Integers must be safe integers or bigints; text must be well-formed Unicode. */
export type RandomLabel = string | number | bigint | Uint8Array;

const DOMAIN = "foedus.v1.random";
const BLOCK_WORDS = 8;
const TWO_POW_32 = 4294967296;
const TWO_POW_MINUS_53 = 1.1102230246251565e-16;

/**
 * The stream named by a seed and labels, from its beginning.
 *
 * @throws TypeError when a label has no canonical form: a number that is not a safe integer, or text with a lone surrogate.
 * @example keyedRandom(beacon, "shapley", round).permutation(keptCount)
 */
export function keyedRandom(seed: Uint8Array | string, ...labels: RandomLabel[]): Random {
  return new Random(digest(Buffer.concat([Buffer.from(DOMAIN), ...[seed, ...labels].map(encodeItem)])));
}

/** A position in one keyed stream; every draw advances it. Made by {@link keyedRandom}. */
export class Random {
  readonly #input: Buffer;
  #block: Buffer = Buffer.alloc(0);
  #counter = 0;
  #next = BLOCK_WORDS;
  #spareNormal: number | undefined;

  /** @param key the 32-byte stream key. */
  constructor(key: Uint8Array) {
    if (key.length !== 32)
      throw new RangeError(`A stream key has 32 bytes; got ${key.length}. Use keyedRandom(seed, ...labels).`);
    this.#input = Buffer.concat([key, Buffer.alloc(8)]);
  }

  /** The beginning of another stream, named by this one's key and further labels; does not depend on what was drawn here. */
  derive(...labels: RandomLabel[]): Random {
    return keyedRandom(this.#input.subarray(0, 32), ...labels);
  }

  /** A uniform integer in [0, 2^32). */
  nextUint32(): number {
    if (this.#next === BLOCK_WORDS) {
      this.#input.writeUInt32BE(Math.floor(this.#counter / TWO_POW_32), 32);
      this.#input.writeUInt32BE(this.#counter % TWO_POW_32, 36);
      this.#block = digest(this.#input);
      this.#counter += 1;
      this.#next = 0;
    }
    const value = this.#block.readUInt32BE(4 * this.#next);
    this.#next += 1;
    return value;
  }

  /** A uniform multiple of 2^-53 in [0, 1): 27 bits of one word, then 26 of the next. */
  uniform(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 67108864 + low) * TWO_POW_MINUS_53;
  }

  /**
   * A uniform integer in [0, n), without modulo bias: words at or above the largest multiple of n are drawn again.
   *
   * @throws RangeError unless n is an integer in [1, 2^32].
   */
  integerBelow(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_POW_32) {
      throw new RangeError(`integerBelow needs an integer from 1 to 2^32; got ${n}.`);
    }
    const limit = TWO_POW_32 - (TWO_POW_32 % n);
    for (;;) {
      const word = this.nextUint32();
      if (word < limit) return word % n;
    }
  }

  /** A standard normal variate, by Marsaglia's polar method (needs no sine; every second value comes from the pair before). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * log(s)) / s);
      this.#spareNormal = v * factor;
      return u * factor;
    }
  }

  /**
   * A gamma variate with the given shape and scale 1 (Marsaglia & Tsang 2000); a shape below 1 is drawn at shape + 1 and
   * multiplied by U^(1/shape), which may underflow to 0 for tiny shapes.
   *
   * @throws RangeError unless shape is finite and positive.
   */
  gamma(shape: number): number {
    if (!(shape > 0 && shape < Infinity)) throw new RangeError(`A gamma shape is finite and positive; got ${shape}.`);
    if (shape < 1) return this.gamma(shape + 1) * exp(log(this.#positiveUniform()) / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const base = 1 + c * x;
      if (base <= 0) continue;
      const v = base * base * base;
      if (log(this.#positiveUniform()) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
  }

  /**
   * A point of the symmetric Dirichlet distribution: n shares that sum to 1 up to rounding. Draws whose gamma variates all
   * underflow to 0 (alpha far below 1) are repeated.
   *
   * @throws RangeError unless alpha is finite and at least 1e-3, below which almost every draw would underflow, and n ≥ 1.
   */
  dirichlet(alpha: number, n: number): Float64Array {
    if (!(alpha >= 1e-3 && alpha < Infinity))
      throw new RangeError(`A Dirichlet alpha is finite and at least 0.001; got ${alpha}.`);
    if (!Number.isInteger(n) || n < 1) throw new RangeError(`A Dirichlet draw needs at least one share; got ${n}.`);
    for (;;) {
      const shares = new Float64Array(n);
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const share = this.gamma(alpha);
        shares[i] = share;
        sum += share;
      }
      if (sum === 0) continue;
      for (let i = 0; i < n; i++) shares[i] = (shares[i] as number) / sum;
      return shares;
    }
  }

  /** A uniform order of 0 … n−1 (Fisher–Yates from the end). */
  permutation(n: number): number[] {
    if (!Number.isInteger(n) || n < 0 || n > TWO_POW_32)
      throw new RangeError(`A permutation has 0 to 2^32 elements; got ${n}.`);
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integerBelow(i + 1);
      const moved = order[i] as number;
      order[i] = order[j] as number;
      order[j] = moved;
    }
    return order;
  }

  /** The items in uniform random order, as a new array. */
  shuffled<T>(items: readonly T[]): T[] {
    return this.permutation(items.length).map((index) => items[index] as T);
  }

  /** Uniform in (0, 1): its logarithm is finite. */
  #positiveUniform(): number {
    for (;;) {
      const value = this.uniform();
      if (value > 0) return value;
    }
  }
}

function digest(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}

function encodeItem(item: RandomLabel): Buffer {
  const [kind, bytes] = canonicalBytes(item);
  const header = Buffer.alloc(5);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

function canonicalBytes(item: RandomLabel): [kind: number, bytes: Uint8Array] {
  if (typeof item === "string") {
    if (!item.isWellFormed()) throw new TypeError(`A label must be well-formed Unicode; got ${JSON.stringify(item)}.`);
    return [1, Buffer.from(item, "utf8")];
  }
  if (typeof item === "bigint") return [2, Buffer.from(item.toString())];
  if (typeof item === "number") {
    if (!Number.isSafeInteger(item)) throw new TypeError(`A number in a label must be a safe integer; got ${item}.`);
    return [2, Buffer.from(BigInt(item).toString())];
  }
  return [3, item];
}
