// SPDX-License-Identifier: Apache-2.0
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { blocksBytes, lowerBound, type UpdateReader, type UpdateSource } from "../protocol/updateChunk.ts";
import type { BlockForm } from "./blocks.ts";
import { formOf } from "./codecs.ts";
import { decodeHalves, HALF_BYTES } from "./half.ts";
import { Inflation } from "./inflation.ts";
import type { PayloadLayout } from "./lowRank.ts";
import { LowRankReader } from "./lowRankReader.ts";
import { maskOf } from "./payload.ts";
import type { RoundPlace } from "./roundMask.ts";

/** Where a payload lies and what its frame announces; compared with layout and codec before. */
export interface PayloadPlace {
  /** The frame's bytes, in order, anew for each pass. */
  readonly frame: () => AsyncIterable<Uint8Array>;
  readonly contentBytes: number;
  readonly codec: CodecConfig;
  readonly layout: PayloadLayout;
  /** Where in the content the values' first block begins: after the indices of a sparse payload. */
  readonly valuesAt: number;
  /** Where the update stands in the run's history: a mask follows from it. */
  readonly round?: RoundPlace | undefined;
}

/** Bytes of a sparse payload's indices, and values of it, that are decoded at a time. */
const STEP = 4_096;

/**
 * An update's values straight from its payload, in their encoded form, any number of passes. A pass inflates anew and keeps, beside the memory
 * that it is given, one `Inflation` and at most one block; of a sparse payload two, since its values come after all of its indices; of products one
 * factor and 65 536 values.
 *
 * The payload was verified; what a pass finds wrong is damage since then, and the pass fails with `DecodeError` or what `frame` throws.
 */
export function payloadSource(payload: PayloadPlace): Pick<UpdateSource, "size" | "bytesPerChunk" | "open"> {
  const { codec, layout } = payload;
  const { size } = layout;
  const form = formOf(codec);
  const { support, values } = form;
  if (values.kind === "lowRank") {
    const { rank } = values;
    return {
      size,
      // Values, and 3 bytes to get to an address that they may have.
      bytesPerChunk: (count) => 4 * count + 3,
      open: async () => new LowRankReader(new Inflation(payload.frame(), payload.contentBytes), layout, rank),
    };
  }
  if (values.kind === "half") {
    return {
      size,
      // Values, the bytes that they come from, and 3 to get to an address that they may have.
      bytesPerChunk: (count) => (4 + HALF_BYTES) * count + 3,
      open: async () => new HalfReader(payload),
    };
  }
  if (support.kind !== "all") {
    const { keep } = support;
    return {
      size,
      // Indices and values, and 3 bytes to get to an address that they may have.
      bytesPerChunk: (count) => 8 * Math.min(count, keep) + 3,
      open: async () => {
        const indices =
          support.kind === "listed"
            ? new IndexStream(payload, keep)
            : new MaskStream(maskOf(form, size, payload.round));
        return new SparseReader(indices, new ValueStream(payload, values), keep);
      },
    };
  }
  const { blockSize, valueBytes } = values;
  return {
    size,
    // A chunk that begins at the last value of a block holds the whole of that block before it.
    bytesPerChunk: (count) => blocksBytes(count + blockSize - 1, blockSize, valueBytes),
    open: async () => new BlocksReader(payload, values),
  };
}

class BlocksReader implements UpdateReader {
  readonly #content: Inflation;
  readonly #blockSize: number;
  readonly #valueBytes: 1 | 2;
  /** The block that the last chunk ended in, from its scale to that chunk's last value; empty when the chunk ended with the block. */
  #begun = new Uint8Array(0);
  /** Values in it. */
  #skip = 0;

  constructor({ frame, contentBytes }: PayloadPlace, { blockSize, valueBytes }: BlockForm) {
    this.#content = new Inflation(frame(), contentBytes);
    this.#blockSize = blockSize;
    this.#valueBytes = valueBytes;
  }

  async read(count: number, memory: Uint8Array): ReturnType<UpdateReader["read"]> {
    const blockSize = this.#blockSize;
    const valueBytes = this.#valueBytes;
    const skip = this.#skip;
    const bytes = memory.subarray(0, blocksBytes(skip + count, blockSize, valueBytes));
    bytes.set(this.#begun);
    await this.#content.fill(bytes.subarray(this.#begun.length));
    this.#skip = (skip + count) % blockSize;
    const blockBytes = blocksBytes(blockSize, blockSize, valueBytes);
    this.#begun = new Uint8Array(bytes.subarray(Math.floor((skip + count) / blockSize) * blockBytes));
    return { kind: "blocks", bytes, valueBytes, blockSize, skip, count };
  }

  close(): Promise<void> {
    return this.#content.close();
  }
}

class HalfReader implements UpdateReader {
  readonly #content: Inflation;
  #at = 0;

  constructor({ frame, contentBytes }: PayloadPlace) {
    this.#content = new Inflation(frame(), contentBytes);
  }

  async read(count: number, memory: Uint8Array): ReturnType<UpdateReader["read"]> {
    const address = Math.ceil(memory.byteOffset / 4) * 4;
    const values = new Int32Array(memory.buffer, address, count);
    const bytes = new Uint8Array(memory.buffer, address + 4 * count, HALF_BYTES * count);
    await this.#content.fill(bytes);
    decodeHalves(bytes, values, this.#at);
    this.#at += count;
    return { kind: "dense", values };
  }

  close(): Promise<void> {
    return this.#content.close();
  }
}

/** The coordinates that a sparse payload says something about, one after the other. */
interface Coordinates {
  /** Writes the next ones below `bound`, counted from `from`. @returns how many. */
  readBelow(bound: number, from: number, into: Uint32Array): Promise<number>;
  close(): Promise<void>;
}

class SparseReader implements UpdateReader {
  readonly #indices: Coordinates;
  readonly #values: ValueStream;
  readonly #keep: number;
  #at = 0;

  constructor(indices: Coordinates, values: ValueStream, keep: number) {
    this.#indices = indices;
    this.#values = values;
    this.#keep = keep;
  }

  async read(count: number, memory: Uint8Array): ReturnType<UpdateReader["read"]> {
    const from = this.#at;
    this.#at += count;
    const most = Math.min(count, this.#keep);
    const address = Math.ceil(memory.byteOffset / 4) * 4;
    const indices = new Uint32Array(memory.buffer, address, most);
    const values = new Int32Array(memory.buffer, address + 4 * most, most);
    const kept = await this.#indices.readBelow(this.#at, from, indices);
    await this.#values.read(values.subarray(0, kept));
    return { kind: "sparse", indices: indices.subarray(0, kept), values: values.subarray(0, kept), count };
  }

  async close(): Promise<void> {
    await Promise.all([this.#indices.close(), this.#values.close()]);
  }
}

/** Those of the round's mask: nothing is read for them. */
class MaskStream implements Coordinates {
  readonly #mask: Uint32Array;
  #next = 0;

  constructor(mask: Uint32Array) {
    this.#mask = mask;
  }

  async readBelow(bound: number, from: number, into: Uint32Array): Promise<number> {
    const first = this.#next;
    this.#next = lowerBound(this.#mask, bound);
    for (let i = first; i < this.#next; i++) into[i - first] = (this.#mask[i] as number) - from;
    return this.#next - first;
  }

  async close(): Promise<void> {}
}

/** Those that the payload lists. */
class IndexStream implements Coordinates {
  readonly #content: Inflation;
  /** Coordinates that are not decoded yet. */
  #keep: number;
  /** Bytes of them that are not inflated yet. */
  #left: number;
  #piece = new Uint8Array(0);
  #at = 0;
  /** Of the gap under way. */
  #gap = 0;
  #place = 1;
  #expected = 0;
  /** Decoded, and not below what was asked for. */
  #ahead: number | undefined;

  constructor({ frame, contentBytes, valuesAt }: PayloadPlace, keep: number) {
    this.#content = new Inflation(frame(), contentBytes);
    this.#left = valuesAt;
    this.#keep = keep;
  }

  async readBelow(bound: number, from: number, into: Uint32Array): Promise<number> {
    let written = 0;
    for (;;) {
      if (this.#ahead !== undefined) {
        if (this.#ahead >= bound) return written;
        into[written++] = this.#ahead - from;
        this.#ahead = undefined;
      }
      if (this.#keep === 0) return written;
      if (this.#at === this.#piece.length) await this.#inflate();
      this.#decode(this.#piece[this.#at++] as number);
    }
  }

  close(): Promise<void> {
    return this.#content.close();
  }

  #decode(byte: number): void {
    this.#gap += (byte % 128) * this.#place;
    this.#place *= 128;
    if (byte >= 128) return;
    this.#ahead = this.#expected + this.#gap;
    this.#expected = this.#ahead + 1;
    this.#gap = 0;
    this.#place = 1;
    this.#keep--;
  }

  async #inflate(): Promise<void> {
    this.#piece = new Uint8Array(Math.min(STEP, this.#left));
    this.#at = 0;
    this.#left -= this.#piece.length;
    await this.#content.fill(this.#piece);
  }
}

/** The values of a sparse payload, one after the other. */
class ValueStream {
  readonly #content: Inflation;
  readonly #blockSize: number;
  readonly #valueBytes: 1 | 2;
  readonly #memory = new Uint8Array(STEP);
  /** Bytes before the first block that are still to be passed over. */
  #before: number;
  #scale = 0;
  /** Values of the block under way that have been read. */
  #inBlock = 0;

  constructor({ frame, contentBytes, valuesAt }: PayloadPlace, { blockSize, valueBytes }: BlockForm) {
    this.#content = new Inflation(frame(), contentBytes);
    this.#blockSize = blockSize;
    this.#valueBytes = valueBytes;
    this.#before = valuesAt;
  }

  async read(into: Int32Array): Promise<void> {
    for (; this.#before > 0; this.#before -= STEP) await this.#take(Math.min(STEP, this.#before));
    for (let at = 0; at < into.length; ) {
      if (this.#inBlock === 0) this.#scale = (await this.#take(4)).getUint32(0);
      const count = Math.min(into.length - at, this.#blockSize - this.#inBlock, STEP / this.#valueBytes);
      const levels = await this.#take(count * this.#valueBytes);
      for (let i = 0; i < count; i++) {
        into[at + i] = this.#scale * (this.#valueBytes === 1 ? levels.getInt8(i) : levels.getInt16(2 * i));
      }
      at += count;
      this.#inBlock = (this.#inBlock + count) % this.#blockSize;
    }
  }

  close(): Promise<void> {
    return this.#content.close();
  }

  async #take(bytes: number): Promise<DataView> {
    await this.#content.fill(this.#memory.subarray(0, bytes));
    return new DataView(this.#memory.buffer, 0, bytes);
  }
}
