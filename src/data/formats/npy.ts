// SPDX-License-Identifier: Apache-2.0

/**
 * NumPy's array file, versions 1 to 3: magic, version, header length, a Python dictionary of type, order and shape, the values.
 * Little-endian numbers in C order are read; objects (pickles), strings and 64-bit integers are refused.
 */

import { DataError } from "../errors.ts";
import { readZip } from "./zip.ts";

const MAGIC = Buffer.from("\x93NUMPY", "latin1");
const MAX_HEADER = 65_536;
const MAX_DIMENSIONS = 8;
const HEADER = /^\{'descr': '([<|=][a-z]\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\),? ?\}\s*$/;

const TYPES = {
  "|u1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
} as const;

export type NpyValues = InstanceType<(typeof TYPES)[keyof typeof TYPES]>;

export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: NpyValues;
}

/** @param source names the file in errors. @throws DataError BAD_FORMAT */
export function parseNpy(bytes: Uint8Array, source: string): NpyArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || !file.subarray(0, 6).equals(MAGIC)) refuse(source, "the magic is missing");
  const version = file[6] as number;
  if (version < 1 || version > 3) refuse(source, `version ${version} is unknown`);
  const start = version === 1 ? 10 : 12;
  const headerLength = version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  if (headerLength > MAX_HEADER || start + headerLength > file.length) refuse(source, "the header is cut off");
  const { type, shape } = parseHeader(file.toString("latin1", start, start + headerLength), source);
  const body = file.subarray(start + headerLength);
  // A hostile shape is compared with the bytes that are there before anything of its size is allocated.
  const count = shape.reduce((product, size) => product * size, 1);
  if (count * type.BYTES_PER_ELEMENT !== body.length)
    refuse(source, `the shape (${shape.join(", ")}) does not fill ${body.length} bytes`);
  // A copy, since the values may start at an odd byte.
  return { shape, values: new type(new Uint8Array(body).buffer) };
}

function parseHeader(
  header: string,
  source: string,
): { readonly type: (typeof TYPES)[keyof typeof TYPES]; readonly shape: number[] } {
  const found = HEADER.exec(header);
  if (found === null) return refuse(source, `the header ${JSON.stringify(header.slice(0, 80))} is not understood`);
  const [, name, fortran, dimensions] = found as unknown as [string, string, string, string];
  if (!Object.hasOwn(TYPES, name)) refuse(source, `type ${name} is not one of ${Object.keys(TYPES).join(" ")}`);
  if (fortran === "True") refuse(source, "the values are in Fortran order");
  const shape = dimensions
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  if (shape.length > MAX_DIMENSIONS) refuse(source, `${shape.length} dimensions are more than ${MAX_DIMENSIONS}`);
  return { type: TYPES[name as keyof typeof TYPES], shape };
}

/** The arrays of an .npz archive by name, `.npy` left off. @throws DataError BAD_FORMAT, TOO_LARGE */
export function parseNpz(bytes: Uint8Array, source: string, maxBytes: number): ReadonlyMap<string, NpyArray> {
  const arrays = new Map<string, NpyArray>();
  for (const [name, data] of readZip(bytes, source, maxBytes))
    if (name.endsWith(".npy")) arrays.set(name.slice(0, -4), parseNpy(data, `${source}: ${name}`));
  return arrays;
}

/**
 * One array of an archive.
 *
 * @param shape what it must have; −1 leaves a dimension open.
 * @throws DataError BAD_FORMAT
 */
export function arrayOf(
  arrays: ReadonlyMap<string, NpyArray>,
  name: string,
  shape: readonly number[],
  source: string,
): NpyArray {
  const array = arrays.get(name);
  if (array === undefined) return refuse(source, `the array ${name} is missing`);
  if (array.shape.length !== shape.length || shape.some((size, i) => size >= 0 && size !== array.shape[i]))
    refuse(source, `the array ${name} has shape (${array.shape.join(", ")}), not (${shape.join(", ")})`);
  return array;
}

function refuse(source: string, why: string): never {
  throw new DataError("BAD_FORMAT", `${source} is not a NumPy array that can be read: ${why}.`, { source });
}
