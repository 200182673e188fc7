// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "../protocol/bytes.ts";
import { DecodeError } from "../protocol/errors.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { blocksLength, decodeBlocks, encodeBlocks, type OffGridValue, type ValueBytes } from "./blocks.ts";
import { decodeGaps, encodeGaps, gapsLengthBounds, largestMagnitudes } from "./sparseIndices.ts";
import { announcedContentSize, compress, compressedBound, inflate } from "./zstdFrame.ts";

/** Number of each codec in an artifact's header; 0 is the closing artifact, which has no payload. */
export const CODEC_IDS = { int16: 1, int8: 2, "topk-int16": 3, "topk-int8": 4 } as const;

export function valueBytesOf(codec: CodecConfig): ValueBytes {
  return codec.name === "int16" || codec.name === "topk-int16" ? 2 : 1;
}

/** Fewest and most bytes of an inflated payload for a model of `size` coordinates; equal for the dense codecs. */
export function contentLengthBounds(codec: CodecConfig, size: number): [min: number, max: number] {
  const valueBytes = valueBytesOf(codec);
  if (!("keep" in codec)) {
    const exact = blocksLength(size, codec.blockSize, valueBytes);
    return [exact, exact];
  }
  const values = blocksLength(codec.keep, codec.blockSize, valueBytes);
  const [fewest, most] = gapsLengthBounds(codec.keep, size);
  return [fewest + values, most + values];
}

/** Most bytes of a payload: nothing longer is worth reading. */
export function maxPayloadBytes(codec: CodecConfig, size: number): number {
  return compressedBound(contentLengthBounds(codec, size)[1]);
}

/**
 * Grid integers as a payload (docs/protocol.md, Artifact). Lossy: what a reader gets is `decodePayload` of it, never larger in any
 * coordinate than what went in.
 *
 * @param values |q| < 2^24, one per coordinate.
 */
export function encodePayload(values: Int32Array, codec: CodecConfig): Uint8Array {
  const valueBytes = valueBytesOf(codec);
  if (!("keep" in codec)) return compress(encodeBlocks(values, codec.blockSize, valueBytes));
  const indices = largestMagnitudes(values, codec.keep);
  const kept = Int32Array.from(indices, (index) => values[index] as number);
  return compress(concatBytes(encodeGaps(indices), encodeBlocks(kept, codec.blockSize, valueBytes)));
}

export interface DecodedPayload {
  /** q, one per coordinate; 0 where a sparse payload says nothing. */
  readonly values: Int32Array;
  /** The first value outside |q| < 2^24 with its coordinate; it stands as 0 in `values`. */
  readonly offGrid?: OffGridValue;
}

/**
 * The values of a payload. The frame is walked and its content size compared with what layout and codec allow before anything is inflated.
 *
 * @param size d, the number of coordinates of the layout.
 * @throws DecodeError when the payload is not canonical.
 */
export function decodePayload(payload: Uint8Array, codec: CodecConfig, size: number): DecodedPayload {
  const contentBytes = announcedContentSize(payload);
  requireContentSize(contentBytes, codec, size);
  const content = inflate(payload, contentBytes);
  if (!("keep" in codec)) return decodeBlocks(content, size, codec.blockSize, valueBytesOf(codec));
  const { indices, values: kept, offGrid } = decodeSparse(content, codec, size);
  const values = new Int32Array(size);
  for (const [i, index] of indices.entries()) values[index] = kept[i] as number;
  return offGrid === undefined ? { values } : { values, offGrid };
}

/** @throws DecodeError when layout and codec do not allow a content of that size. */
export function requireContentSize(contentBytes: number, codec: CodecConfig, size: number): void {
  const [min, max] = contentLengthBounds(codec, size);
  if (contentBytes >= min && contentBytes <= max) return;
  throw new DecodeError(
    `The payload inflates to ${contentBytes} bytes; ${codec.name} of ${size} coordinates takes ${min === max ? min : `${min} to ${max}`}.`,
  );
}

/** What a sparse payload says, and where. */
export interface SparseValues {
  /** Ascending coordinates. */
  readonly indices: Uint32Array;
  /** q at the indices. */
  readonly values: Int32Array;
  /** Where in the content the values' first block begins. */
  readonly valuesAt: number;
  readonly offGrid?: OffGridValue;
}

/** The inflated content of a sparse payload. @throws DecodeError when it is not canonical. */
export function decodeSparse(
  content: Uint8Array,
  codec: CodecConfig & { readonly keep: number },
  size: number,
): SparseValues {
  const { indices, length: valuesAt } = decodeGaps(content, codec.keep, size);
  const blocks = content.subarray(valuesAt);
  const { values, offGrid } = decodeBlocks(blocks, codec.keep, codec.blockSize, valueBytesOf(codec));
  if (offGrid === undefined) return { indices, values, valuesAt };
  return { indices, values, valuesAt, offGrid: { index: indices[offGrid.index] as number, value: offGrid.value } };
}
