// SPDX-License-Identifier: Apache-2.0
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { DecodeError } from "../protocol/errors.ts";
import { powerOfTwo } from "../protocol/grid.ts";

/** Largest window a frame may ask a reader to keep. */
export const MAX_WINDOW_BYTES = 8 * 1_048_576;
const MAX_WINDOW_LOG = 23;
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
const COMPRESSION_LEVEL = 6;

/** One zstd frame (RFC 8878) with its content size, without dictionary or checksum: the only form `inflate` reads. */
export function compress(content: Uint8Array): Uint8Array {
  return plainBytes(
    zstdCompressSync(content, {
      pledgedSrcSize: content.length,
      params: {
        [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL,
        [constants.ZSTD_c_windowLog]: 21,
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
 * Refused: another magic (skippable frames too), reserved or unused bits, a dictionary, a checksum, no content size, a window above 8 MiB,
 * a reserved block type, and any byte after the last block: so one sequence of bytes cannot hide a second message or cost a reader memory.
 *
 * @throws DecodeError
 */
export function announcedContentSize(frame: Uint8Array): number {
  if (frame.length < 6 || MAGIC.some((byte, i) => frame[i] !== byte))
    throw new DecodeError("The payload does not begin with a zstd frame.");
  const descriptor = frame[4] as number;
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
  const blocksAt = sizeAt + sizeBytes;
  if (frame.length < blocksAt) throw new DecodeError(`The zstd frame ends in its header, at byte ${frame.length}.`);

  let size = sizeBytes === 2 ? 256 : 0;
  for (let i = 0, place = 1; i < sizeBytes; i++, place *= 256) size += (frame[sizeAt + i] as number) * place;
  const window = singleSegment ? size : windowSize(frame[5] as number);
  if (window > MAX_WINDOW_BYTES)
    throw new DecodeError(`The zstd frame needs a window of ${window} bytes; at most ${MAX_WINDOW_BYTES} are allowed.`);
  walkBlocks(frame, blocksAt);
  return size;
}

/** RFC 8878 §3.1.1.1.2: 2^(10 + exponent) plus eighths of it. */
function windowSize(descriptor: number): number {
  const base = powerOfTwo(10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function walkBlocks(frame: Uint8Array, start: number): void {
  let at = start;
  for (;;) {
    if (at + 3 > frame.length)
      throw new DecodeError(`The zstd frame is truncated: a block header is missing at byte ${at}.`);
    const header = (frame[at] as number) | ((frame[at + 1] as number) << 8) | ((frame[at + 2] as number) << 16);
    const type = (header >>> 1) & 3;
    if (type === 3) throw new DecodeError(`The zstd block at byte ${at} has the reserved type.`);
    const RLE = 1;
    at += 3 + (type === RLE ? 1 : header >>> 3);
    if (at > frame.length)
      throw new DecodeError(`The zstd frame is truncated: a block ends at byte ${at} of ${frame.length}.`);
    if ((header & 1) === 1) break;
  }
  if (at !== frame.length) throw new DecodeError(`${frame.length - at} bytes follow the zstd frame.`);
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
