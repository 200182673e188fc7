// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { type BlockForm, blocksLength, decodeBlocks, encodeBlocks, type OffGridValue } from "./blocks.ts";
import { type CodecForm, countOf, formOf, isStochastic, keepsResidual, type ValueForm } from "./codecs.ts";
import { decodeHalves, encodeHalves, HALF_BYTES } from "./half.ts";
import { type Dice, type Levels, qsgd, scaledQsgd, stochastic, TOWARD_ZERO } from "./levels.ts";
import { encodeLowRank, LowRankDecoder, lowRankLength, type PayloadLayout } from "./lowRank.ts";
import { layoutOf, type PayloadExtent, sizeOf } from "./payloadExtent.ts";
import { type RoundPlace, roundMask } from "./roundMask.ts";
import { decodeGaps, encodeGaps, gapsLengthBounds, largestMagnitudes } from "./sparseIndices.ts";
import { announcedContentSize, compress, compressedBound, inflate } from "./zstdFrame.ts";

/** Bytes of `count` values. */
export function valuesLength(count: number, form: ValueForm): number {
  return form.kind === "half" ? HALF_BYTES * count : blocksLength(count, form);
}

/** Fewest and most bytes of an inflated payload; equal unless the payload lists its coordinates. */
export function contentLengthBounds(codec: CodecConfig, extent: PayloadExtent): [min: number, max: number] {
  const form = formOf(codec);
  if (form.values.kind === "lowRank") {
    const length = lowRankLength(layoutOf(extent), form.values.rank);
    return [length, length];
  }
  const size = sizeOf(extent);
  const values = valuesLength(countOf(form, size), form.values);
  if (form.support.kind !== "listed") return [values, values];
  const [fewest, most] = gapsLengthBounds(form.support.keep, size);
  return [fewest + values, most + values];
}

/** Most bytes of a payload: nothing longer is worth reading. */
export function maxPayloadBytes(codec: CodecConfig, extent: PayloadExtent): number {
  return compressedBound(contentLengthBounds(codec, extent)[1]);
}

/** What an encoder needs beside values and codec. */
export interface EncodeOptions {
  /** For codecs with a mask. */
  readonly place?: RoundPlace | undefined;
  /** For codecs that round stochastically. */
  readonly dice?: Dice | undefined;
  /** For codecs that read tensors as matrices. */
  readonly layout?: PayloadLayout | undefined;
}

/**
 * Grid integers as a payload (docs/protocol.md, Artifact). Lossy: what a reader gets is `decodePayload` of it; unless the codec rounds
 * stochastically, never larger in any coordinate than what went in.
 *
 * @param values |q| < 2^24, one per coordinate; integers, or fractions for codecs that round them stochastically.
 * @throws ConfigError when the codec needs an option that is not there.
 */
export function encodePayload(
  values: Int32Array | Float64Array,
  codec: CodecConfig,
  options: EncodeOptions = {},
): Uint8Array {
  const form = formOf(codec);
  const { support, values: valueForm } = form;
  if (valueForm.kind === "lowRank")
    return compress(encodeLowRank(values, layoutOf(options.layout ?? values.length), valueForm.rank));
  if (support.kind === "all") {
    return compress(
      encodeValues(
        values,
        valueForm,
        levelsOf(codec, options, (i) => i),
      ),
    );
  }
  const listed = support.kind === "listed";
  const coordinates = listed
    ? largestMagnitudes(new Int32Array(values), support.keep)
    : maskOf(form, values.length, options.place);
  const kept = Float64Array.from(coordinates, (j) => values[j] as number);
  const levels = levelsOf(codec, options, (i) => coordinates[i] as number);
  const encoded = encodeValues(kept, valueForm, levels);
  return compress(listed ? concatBytes(encodeGaps(coordinates), encoded) : encoded);
}

export interface DecodedPayload {
  /** q, one per coordinate; 0 where a sparse payload says nothing. */
  readonly values: Int32Array;
  /** Of a sparse payload, the coordinates that it says something about, ascending. */
  readonly support?: Uint32Array;
  /** The first value outside |q| < 2^24 with its coordinate; it stands as 0 in `values`. */
  readonly offGrid?: OffGridValue;
}

/**
 * The values of a payload. The frame is walked and its content size compared with what layout and codec allow before anything is inflated.
 *
 * @param place of the update, for codecs with a mask.
 * @throws DecodeError when the payload is not canonical.
 */
export function decodePayload(
  payload: Uint8Array,
  codec: CodecConfig,
  extent: PayloadExtent,
  place?: RoundPlace,
): DecodedPayload {
  const contentBytes = announcedContentSize(payload);
  requireContentSize(contentBytes, codec, extent);
  const content = inflate(payload, contentBytes);
  const form = formOf(codec);
  const { support, values: valueForm } = form;
  if (valueForm.kind === "lowRank") return decodeProducts(content, layoutOf(extent), valueForm.rank);
  const size = sizeOf(extent);
  if (support.kind === "all") {
    const values = new Int32Array(size);
    const offGrid = decodeValues(content, valueForm, values);
    return offGrid === undefined ? { values } : { values, offGrid };
  }
  const { coordinates, kept, offGrid } =
    support.kind === "listed"
      ? decodeListed(content, valueForm, support.keep, size)
      : decodeKept(content, maskOf(form, size, place), valueForm, 0);
  const values = new Int32Array(size);
  for (const [i, j] of coordinates.entries()) values[j] = kept[i] as number;
  return offGrid === undefined ? { values, support: coordinates } : { values, support: coordinates, offGrid };
}

/** @throws DecodeError when layout and codec do not allow a content of that size. */
export function requireContentSize(contentBytes: number, codec: CodecConfig, extent: PayloadExtent): void {
  const [min, max] = contentLengthBounds(codec, extent);
  if (contentBytes >= min && contentBytes <= max) return;
  throw new DecodeError(
    `The payload inflates to ${contentBytes} bytes; ${codec.name} of ${sizeOf(extent)} coordinates takes ${min === max ? min : `${min} to ${max}`}.`,
  );
}

/** What a sparse payload says, and where. */
export interface SparseValues {
  /** Ascending. */
  readonly coordinates: Uint32Array;
  /** q there. */
  readonly kept: Int32Array;
  /** Where in the content the values begin. */
  readonly valuesAt: number;
  readonly offGrid?: OffGridValue | undefined;
}

/** The inflated content of a payload that lists its coordinates. @throws DecodeError when it is not canonical. */
export function decodeListed(content: Uint8Array, form: ValueForm, keep: number, size: number): SparseValues {
  const { indices: coordinates, length: valuesAt } = decodeGaps(content, keep, size);
  return decodeKept(content, coordinates, form, valuesAt);
}

/** The mask of a codec that has one. @throws ConfigError without the update's place. */
export function maskOf({ support }: CodecForm, size: number, place: RoundPlace | undefined): Uint32Array {
  if (support.kind !== "mask" || place === undefined)
    throw new ConfigError(
      "A codec with a mask needs run and round of the update, from which every reader has the same mask.",
    );
  return roundMask({ ...place, ...support, size });
}

/**
 * The next values of a payload's inflated content.
 *
 * @param values to write to; as many are read.
 * @param first index of the first value, for messages; a multiple of the block size.
 * @returns the first value outside the grid, by its index.
 */
export function decodeValues(
  content: Uint8Array,
  form: ValueForm,
  values: Int32Array<ArrayBuffer>,
  first = 0,
): OffGridValue | undefined {
  if (form.kind === "blocks") return decodeBlocks(content, values.length, form, first, values).offGrid;
  decodeHalves(content, values, first);
  return undefined;
}

function decodeProducts(content: Uint8Array, layout: PayloadLayout, rank: number): DecodedPayload {
  const values = new Int32Array(layout.size);
  const decoder = new LowRankDecoder(layout, rank);
  let first: OffGridValue | undefined;
  for (let at = 0; at < content.length; ) {
    const bytes = content.subarray(at, at + decoder.wants);
    at += bytes.length;
    const part = decoder.take(bytes);
    if (part !== undefined) values.set(part.values, part.first);
    first ??= part?.offGrid;
  }
  return first === undefined ? { values } : { values, offGrid: first };
}

function decodeKept(content: Uint8Array, coordinates: Uint32Array, form: ValueForm, valuesAt: number): SparseValues {
  const kept = new Int32Array(coordinates.length);
  const offGrid = decodeValues(content.subarray(valuesAt), form, kept);
  if (offGrid === undefined) return { coordinates, kept, valuesAt };
  return {
    coordinates,
    kept,
    valuesAt,
    offGrid: { index: coordinates[offGrid.index] as number, value: offGrid.value },
  };
}

function encodeValues(values: ArrayLike<number>, form: ValueForm, levels: Levels): Uint8Array {
  return form.kind === "half" ? encodeHalves(values) : encodeBlocks(values, form satisfies BlockForm, levels);
}

/** @param coordinateOf the coordinate of the i-th value that is encoded. */
function levelsOf(codec: CodecConfig, { dice }: EncodeOptions, coordinateOf: (i: number) => number): Levels {
  if (!isStochastic(codec)) return TOWARD_ZERO;
  if (dice === undefined) throw new ConfigError(`${codec.name} rounds stochastically and needs a random stream.`);
  const ofKept: Dice = { random: dice.random, fits: (i, value) => dice.fits(coordinateOf(i), value) };
  if (codec.name !== "qsgd") return stochastic(ofKept);
  return keepsResidual(codec) ? scaledQsgd(ofKept) : qsgd(ofKept);
}
