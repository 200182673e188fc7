// SPDX-License-Identifier: Apache-2.0
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { DecodeError } from "../protocol/errors.ts";
import { powerOfTwo } from "../protocol/grid.ts";

/**
 * Largest window that a frame may ask a reader to keep, and the one that is written with: 128 KiB, one zstd block. Quantised values repeat
 * nothing from afar (measured: larger windows save no byte), and a validator keeps a window for each update that it reads from.
 */
export const MAX_WINDOW_BYTES = 131_072;
export const MAX_WINDOW_LOG = 17;
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
const COMPRESSION_LEVEL = 6;

/** One zstd frame (RFC 8878) with its content size, without dictionary or checksum: the only form `inflate` reads. */
export function compress(content: Uint8Array): Uint8Array {
  return plainBytes(
    zstdCompressSync(content, {
      // Where a frame ends exactly at the end of a buffer, Node asks the finished stream for more and gets a second, empty frame (measured: 24.21, 9 bytes
      // after a frame of 16 384). In a buffer that no frame fills this cannot happen.
      chunkSize: compressedBound(content.length) + 1,
      pledgedSrcSize: content.length,
      params: {
        [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL,
        [constants.ZSTD_c_windowLog]: MAX_WINDOW_LOG,
        [constants.ZSTD_c_contentSizeFlag]: 1,
        [constants.ZSTD_c_checksumFlag]: 0,
        [constants.ZSTD_c_dictIDFlag]: 0,
      },
    }),
  );
}

/** A Buffer's bytes as what they are: Buffer overrides `slice`, and comparisons see another type. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** Most bytes `compress` can make of a content of that size (zstd's own bound for incompressible input). */
export function compressedBound(contentBytes: number): number {
  const small = contentBytes < 131_072 ? Math.floor((131_072 - contentBytes) / 2_048) : 0;
  return contentBytes + Math.floor(contentBytes / 256) + small + 64;
}

/**
 * Content size that a frame announces, after its grammar was walked without inflating anything.
 *
 * @throws DecodeError as `FrameWalk`.
 */
export function announcedContentSize(frame: Uint8Array): number {
  const walk = new FrameWalk();
  walk.take(frame);
  return walk.end();
}

/** Magic, descriptor, and a byte of window or content size: no frame has a shorter header. */
const SHORTEST_HEADER = 6;
const RLE = 1;

/**
 * Walks a frame's grammar, given in pieces of any sizes, without inflating anything.
 *
 * Refused: another magic (skippable frames too), reserved or unused bits, a dictionary, a checksum, no content size, a window above 128 KiB,
 * a reserved block type, and any byte after the last block: so one sequence of bytes cannot hide a second message or cost a reader memory.
 *
 * Every method throws DecodeError.
 */
export class FrameWalk {
  /** Bytes of the frame's or a block's header that have come so far. */
  #header: number[] = [];
  #contentBytes: number | undefined;
  /** What is left of the block's body. */
  #body = 0;
  #inLastBlock = false;
  /** Bytes taken before the piece under way. */
  #before = 0;

  take(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#body > 0) {
        const skipped = Math.min(this.#body, piece.length - at);
        this.#body -= skipped;
        at += skipped;
      } else if (this.#inLastBlock) {
        throw new DecodeError(`${piece.length - at} bytes follow the zstd frame.`);
      } else {
        this.#header.push(piece[at++] as number);
        if (this.#contentBytes === undefined) this.#enterFrame();
        else if (this.#header.length === 3) this.#enterBlock(this.#before + at - 3);
      }
    }
    this.#before += piece.length;
  }

  /** The frame is complete. @returns the content size that it announces. */
  end(): number {
    if (this.#contentBytes === undefined) {
      if (this.#header.length < SHORTEST_HEADER) throw new DecodeError("The payload does not begin with a zstd frame.");
      throw new DecodeError(`The zstd frame ends in its header, at byte ${this.#header.length}.`);
    }
    if (this.#body > 0)
      throw new DecodeError(`The zstd frame is truncated: a block's last ${this.#body} bytes are missing.`);
    if (!this.#inLastBlock)
      throw new DecodeError(`The zstd frame is truncated: a block header is missing at byte ${this.#before}.`);
    return this.#contentBytes;
  }

  #enterFrame(): void {
    const header = this.#header;
    if (header.length < SHORTEST_HEADER) return;
    if (MAGIC.some((byte, i) => header[i] !== byte))
      throw new DecodeError("The payload does not begin with a zstd frame.");
    const descriptor = header[4] as number;
    if ((descriptor & 0b0001_1111) !== 0) {
      throw new DecodeError(
        `Zstd frame descriptor 0x${descriptor.toString(16)} has a dictionary, a checksum or reserved bits; none is allowed.`,
      );
    }
    const singleSegment = (descriptor & 0b0010_0000) !== 0;
    const sizeFlag = descriptor >>> 6;
    const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
    if (sizeBytes === 0) throw new DecodeError("The zstd frame does not state its content size.");
    const sizeAt = singleSegment ? 5 : 6;
    if (header.length < sizeAt + sizeBytes) return;

    let size = sizeBytes === 2 ? 256 : 0;
    for (let i = 0, place = 1; i < sizeBytes; i++, place *= 256) size += (header[sizeAt + i] as number) * place;
    const window = singleSegment ? size : windowSize(header[5] as number);
    if (window > MAX_WINDOW_BYTES) {
      throw new DecodeError(
        `The zstd frame needs a window of ${window} bytes; at most ${MAX_WINDOW_BYTES} are allowed.`,
      );
    }
    this.#contentBytes = size;
    this.#header = [];
  }

  #enterBlock(at: number): void {
    const [low, middle, high] = this.#header as [number, number, number];
    const header = low | (middle << 8) | (high << 16);
    const type = (header >>> 1) & 3;
    if (type === 3) throw new DecodeError(`The zstd block at byte ${at} has the reserved type.`);
    this.#body = type === RLE ? 1 : header >>> 3;
    this.#inLastBlock = (header & 1) === 1;
    this.#header = [];
  }
}

/** RFC 8878 §3.1.1.1.2: 2^(10 + exponent) plus eighths of it. */
function windowSize(descriptor: number): number {
  const base = powerOfTwo(10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/**
 * Content of a frame whose size the caller has found to be what it expects; memory is bounded by that size.
 *
 * @param contentBytes `announcedContentSize(frame)`, checked against the layout *before* this call.
 * @throws DecodeError when the blocks are corrupt or give another size.
 */
export function inflate(frame: Uint8Array, contentBytes: number): Uint8Array {
  let content: Uint8Array;
  try {
    content = plainBytes(
      zstdDecompressSync(frame, {
        maxOutputLength: contentBytes,
        params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
      }),
    );
  } catch (cause) {
    throw new DecodeError("The zstd frame is corrupt.", { contentBytes }, cause);
  }
  if (content.length !== contentBytes)
    throw new DecodeError(`The zstd frame announces ${contentBytes} bytes and holds ${content.length}.`);
  return content;
}
