// SPDX-License-Identifier: Apache-2.0

import type { ByteSource } from "../protocol/byteSource.ts";
import { equalBytes } from "../protocol/bytes.ts";
import { CHUNK_BYTES, chunkLeaf, rootOfChunks } from "../protocol/chunkRoot.ts";
import { FoedusError } from "../protocol/errors.ts";
import { sha256 } from "../protocol/hash.ts";

/** What is read and checked at a time; divides the chunk. Smaller than a chunk, since a pass over K updates holds one of each. */
export const PIECE_BYTES = 65_536;
const DIGEST_BYTES = 32;

/**
 * Bytes that are the same each time they are read, although they lie where somebody could change them: the first reading gives the file's chunk
 * root, which the caller holds against the one committed, and keeps a digest of each piece; every later reading is held against those before
 * anybody sees a byte. 32 bytes are kept for each 64 KiB.
 */
export class CheckedBytes implements ByteSource {
  readonly length: number;
  readonly chunkRoot: Uint8Array;
  readonly #source: ByteSource;
  readonly #digests: Uint8Array;

  private constructor(source: ByteSource, chunkRoot: Uint8Array, digests: Uint8Array) {
    this.#source = source;
    this.length = source.length;
    this.chunkRoot = chunkRoot;
    this.#digests = digests;
  }

  /** Reads the source once from its first byte to its last, a chunk at a time. @throws FoedusError CONTENT_CHANGED when some are gone. */
  static async of(source: ByteSource): Promise<CheckedBytes> {
    const leaves: Uint8Array[] = [];
    const digests = new Uint8Array(DIGEST_BYTES * Math.ceil(source.length / PIECE_BYTES));
    for (let offset = 0; offset < source.length; offset += CHUNK_BYTES) {
      const chunk = await readStill(source, offset, Math.min(CHUNK_BYTES, source.length - offset));
      leaves.push(chunkLeaf(chunk));
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        digests.set(sha256(chunk.subarray(at, at + PIECE_BYTES)), DIGEST_BYTES * ((offset + at) / PIECE_BYTES));
      }
    }
    return new CheckedBytes(source, rootOfChunks(leaves), digests);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const out = new Uint8Array(length);
    let at = 0;
    for await (const piece of this.pieces(offset, offset + length)) {
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  /**
   * The bytes from `from` up to `to`, in order, in pieces of at most 64 KiB.
   *
   * @throws FoedusError CONTENT_CHANGED when they are not the bytes of the first reading, or some are gone.
   */
  async *pieces(from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let index = Math.floor(from / PIECE_BYTES); index * PIECE_BYTES < to; index++) {
      const start = index * PIECE_BYTES;
      const piece = await readStill(this.#source, start, Math.min(PIECE_BYTES, this.length - start));
      const digest = this.#digests.subarray(DIGEST_BYTES * index, DIGEST_BYTES * (index + 1));
      if (!equalBytes(sha256(piece), digest)) {
        throw changed(start, piece.length);
      }
      yield piece.subarray(Math.max(0, from - start), to - start);
    }
  }
}

/** What was there when the artifact was fetched is an object that others have too: not a store that cannot be reached. */
async function readStill(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  try {
    return await source.read(offset, length);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "CONTENT_NOT_FOUND") throw cause;
    throw changed(offset, length, cause);
  }
}

function changed(offset: number, bytes: number, cause?: unknown): FoedusError {
  return new FoedusError(
    "CONTENT_CHANGED",
    `Bytes ${offset} to ${offset + bytes} of an artifact are no longer those that were verified.`,
    { values: { offset, bytes }, cause },
  );
}
