// SPDX-License-Identifier: Apache-2.0
import type { CodecConfig } from "../protocol/recipe.ts";
import {
  blocksBytes,
  type SparseChunk,
  sliceChunk,
  type UpdateReader,
  type UpdateSource,
} from "../protocol/updateChunk.ts";
import { Inflation } from "./inflation.ts";
import { decodeSparse, valueBytesOf } from "./payload.ts";

/** Where a payload lies and what its frame announces; compared with layout and codec before. */
export interface PayloadPlace {
  /** The frame's bytes, in order, anew for each pass. */
  readonly frame: () => AsyncIterable<Uint8Array>;
  readonly contentBytes: number;
  readonly codec: CodecConfig;
  /** d. */
  readonly size: number;
}

/**
 * An update's values straight from its payload, in their encoded form, any number of passes. Each pass inflates anew and keeps a zstd window,
 * two pieces of 64 KiB and at most one block. A *sparse* payload is small by what it is: a pass keeps its kept indices and values, 8 bytes
 * each, since the indices of a payload come before the values.
 *
 * The payload was verified; what a pass finds wrong is damage since then, and the pass fails with `DecodeError` or what `frame` throws.
 */
export function payloadSource(payload: PayloadPlace): Pick<UpdateSource, "size" | "bytesPerChunk" | "open"> {
  const { codec, size } = payload;
  if ("keep" in codec) {
    const { keep } = codec;
    return {
      size,
      bytesPerChunk: (count) => 4 * Math.min(count, keep) + 3,
      open: async () => new SparseReader(payload, codec),
    };
  }
  const valueBytes = valueBytesOf(codec);
  return {
    size,
    // A chunk that begins at the last value of a block holds the whole of that block before it.
    bytesPerChunk: (count) => blocksBytes(count + codec.blockSize - 1, codec.blockSize, valueBytes),
    open: async () => new BlocksReader(payload),
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

  constructor({ frame, contentBytes, codec }: PayloadPlace) {
    this.#content = new Inflation(frame(), contentBytes);
    this.#blockSize = codec.blockSize;
    this.#valueBytes = valueBytesOf(codec);
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

class SparseReader implements UpdateReader {
  readonly #payload: PayloadPlace;
  readonly #codec: CodecConfig & { readonly keep: number };
  readonly #content: Inflation;
  #update: SparseChunk | undefined;
  #at = 0;

  constructor(payload: PayloadPlace, codec: CodecConfig & { readonly keep: number }) {
    this.#payload = payload;
    this.#codec = codec;
    this.#content = new Inflation(payload.frame(), payload.contentBytes);
  }

  async read(count: number, memory: Uint8Array): ReturnType<UpdateReader["read"]> {
    this.#update ??= await this.#inflate();
    const from = this.#at;
    this.#at += count;
    return sliceChunk(this.#update, from, count, memory);
  }

  close(): Promise<void> {
    return this.#content.close();
  }

  async #inflate(): Promise<SparseChunk> {
    const content = new Uint8Array(this.#payload.contentBytes);
    await this.#content.fill(content);
    const { indices, values } = decodeSparse(content, this.#codec, this.#payload.size);
    return { kind: "sparse", indices, values, count: this.#payload.size };
  }
}
