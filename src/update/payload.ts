// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { type BlockForm, blocksLength, decodeBlocks, encodeBlocks, type OffGridValue } from "./blocks.ts";
import { type CodecForm, countOf, formOf, isStochastic, keepsResidual, type ValueForm } from "./codecs.ts";
import { decodeHalves, encodeHalves, HALF_BYTES } from "./half.ts";
import { type Dice, type Levels, qsgd, scaledQsgd, stochastic, TOWARD_ZERO } from "./levels.ts";
import { type RoundPlace, roundMask } from "./roundMask.ts";
import { decodeGaps, encodeGaps, gapsLengthBounds, largestMagnitudes } from "./sparseIndices.ts";
import { announcedContentSize, compress, compressedBound, inflate } from "./zstdFrame.ts";

/** Bytes of `count` values. */
export function valuesLength(count: number, form: ValueForm): number {
  return form.kind === "half" ? HALF_BYTES * count : blocksLength(count, form);
}

/** Fewest and most bytes of an inflated payload for a model of `size` coordinates; equal unless the payload lists its coordinates. */
export function contentLengthBounds(codec: CodecConfig, size: number): [min: number, max: number] {
  const form = formOf(codec);
  const values = valuesLength(countOf(form, size), form.values);
  if (form.support.kind !== "listed") return [values, values];
  const [fewest, most] = gapsLengthBounds(form.support.keep, size);
  return [fewest + values, most + values];
}

/** Most bytes of a payload: nothing longer is worth reading. */
export function maxPayloadBytes(codec: CodecConfig, size: number): number {
  return compressedBound(contentLengthBounds(codec, size)[1]);
}

/** What an encoder needs beside values and codec. */
export interface EncodeOptions {
  /** For codecs with a mask. */
  readonly place?: RoundPlace | undefined;
  /** For codecs that round stochastically. */
  readonly dice?: Dice | undefined;
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
  const { support } = form;
  if (support.kind === "all") {
    return compress(
      encodeValues(
        values,
        form.values,
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
  const encoded = encodeValues(kept, form.values, levels);
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
 * @param size d, the number of coordinates of the layout.
 * @param place of the update, for codecs with a mask.
 * @throws DecodeError when the payload is not canonical.
 */
export function decodePayload(
  payload: Uint8Array,
  codec: CodecConfig,
  size: number,
  place?: RoundPlace,
): DecodedPayload {
  const contentBytes = announcedContentSize(payload);
  requireContentSize(contentBytes, codec, size);
  const content = inflate(payload, contentBytes);
  const form = formOf(codec);
  if (form.support.kind === "all") {
    const values = new Int32Array(size);
    const offGrid = decodeValues(content, form.values, values);
    return offGrid === undefined ? { values } : { values, offGrid };
  }
  const { coordinates, kept, offGrid } =
    form.support.kind === "listed"
      ? decodeListed(content, form.values, form.support.keep, size)
      : decodeMasked(content, form, size, place);
  const values = new Int32Array(size);
  for (const [i, j] of coordinates.entries()) values[j] = kept[i] as number;
  return offGrid === undefined ? { values, support: coordinates } : { values, support: coordinates, offGrid };
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

function decodeMasked(content: Uint8Array, form: CodecForm, size: number, place: RoundPlace | undefined): SparseValues {
  return decodeKept(content, maskOf(form, size, place), form.values, 0);
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
