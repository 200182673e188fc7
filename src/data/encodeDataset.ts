// SPDX-License-Identifier: Apache-2.0

/**
 * The canonical file of a dataset, for held-out sets in the content store. Big-endian, like every encoding of the protocol:
 *
 *     magic "FOEDUDS1" (8) ‖ size u32 ‖ inputs u32 ‖ classes u32 ‖ labels (size × u16) ‖ features (size × inputs × float32)
 *
 * exactly to the end of the bytes. Every dataset has one encoding: NaN, ±Inf and −0 do not occur, so two validators that
 * decode a file compute on the same bits.
 */

import type { Dataset } from "../protocol/dataset.ts";
import { DecodeError } from "../protocol/errors.ts";

const MAGIC = new TextEncoder().encode("FOEDUDS1");
const HEADER_BYTES = MAGIC.length + 12;
const MAX_CLASSES = 65_536;

/** Largest dataset file that is written or decoded, in bytes. */
export const MAX_DATASET_BYTES = 2 ** 30;

/** @throws DecodeError when the dataset has no canonical form (lengths, labels, non-finite values, −0) or is too large. */
export function encodeDataset(dataset: Dataset): Uint8Array {
  const { features, labels, inputs, classes, size } = dataset;
  const length = encodedLength(size, inputs, classes);
  if (labels.length !== size || features.length !== size * inputs) {
    throw new DecodeError(
      `A dataset of ${size} × ${inputs} has ${labels.length} labels and ${features.length} feature values.`,
    );
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  for (const [i, value] of [size, inputs, classes].entries()) view.setUint32(MAGIC.length + 4 * i, value);
  let offset = HEADER_BYTES;
  for (let i = 0; i < size; i++, offset += 2) view.setUint16(offset, checkedLabel(labels[i] as number, i, classes));
  for (let i = 0; i < features.length; i++, offset += 4)
    view.setFloat32(offset, checkedFeature(features[i] as number, i));
  return bytes;
}

/**
 * The dataset of its canonical file. The length is checked against the header before anything of that size is allocated.
 *
 * @throws DecodeError at the first thing that is not canonical.
 */
export function decodeDataset(bytes: Uint8Array): Dataset {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new DecodeError(`These ${bytes.length} bytes are not a dataset: the header "FOEDUDS1" is missing.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [size, inputs, classes] = [0, 4, 8].map((at) => view.getUint32(MAGIC.length + at)) as [number, number, number];
  const length = encodedLength(size, inputs, classes);
  if (bytes.length !== length) {
    throw new DecodeError(`A dataset of ${size} × ${inputs} has ${length} bytes; these are ${bytes.length}.`, {
      expected: length,
      length: bytes.length,
    });
  }
  const labels = new Int32Array(size);
  const features = new Float32Array(size * inputs);
  let offset = HEADER_BYTES;
  for (let i = 0; i < size; i++, offset += 2) labels[i] = checkedLabel(view.getUint16(offset), i, classes);
  for (let i = 0; i < features.length; i++, offset += 4) features[i] = checkedFeature(view.getFloat32(offset), i);
  return { features, labels, inputs, classes, size };
}

/** Hostile headers give at most 2^32 · (2 + 2^34), far beyond the limit and far from overflow; the rounding there does not matter. */
function encodedLength(size: number, inputs: number, classes: number): number {
  for (const [what, value, max] of [
    ["samples", size, 2 ** 32 - 1],
    ["features", inputs, 2 ** 32 - 1],
    ["classes", classes, MAX_CLASSES],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new DecodeError(`A dataset has 1 to ${max} ${what}, not ${value}.`);
  }
  const length = HEADER_BYTES + size * (2 + 4 * inputs);
  if (length > MAX_DATASET_BYTES)
    throw new DecodeError(
      `A dataset of ${size} × ${inputs} needs ${length} bytes; at most ${MAX_DATASET_BYTES} are allowed.`,
    );
  return length;
}

function checkedLabel(label: number, sample: number, classes: number): number {
  if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
    throw new DecodeError(`Sample ${sample} has label ${label}; the dataset has classes 0 to ${classes - 1}.`, {
      sample,
      label,
    });
  }
  return label;
}

function checkedFeature(value: number, index: number): number {
  if (!Number.isFinite(value) || Object.is(value, -0)) {
    throw new DecodeError(`Feature value ${index} is ${Object.is(value, -0) ? "−0" : value}, which is not canonical.`, {
      index,
    });
  }
  return value;
}
