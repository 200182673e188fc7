// SPDX-License-Identifier: Apache-2.0

/**
 * The part of MATLAB's MAT-file, level 5 ("-v6" and "-v7"), that holds real numeric arrays: a header of 128 bytes, then elements of type, length and
 * data, each an array or a zlib stream of one (MathWorks: MAT-File Format). Little-endian. Other classes (cells, structures, text, sparse, 64-bit
 * integers), complex values and HDF5 ("-v7.3") are refused. Every length is compared with the bytes that are there before anything of its size is allocated.
 */

import { inflateSync } from "node:zlib";
import { DataError } from "../errors.ts";

const HEADER_BYTES = 128;
const VERSION = 0x0100;
const LITTLE_ENDIAN = "IM";
const TAG_BYTES = 8;
const MAX_ELEMENTS = 64;
const MAX_DIMENSIONS = 8;

const INT8 = 1;
const INT32 = 5;
const UINT32 = 6;
const MATRIX = 14;
const COMPRESSED = 15;

/** How an array's values may be stored; MATLAB takes the smallest type that holds them all. */
const STORED = new Map<number, StoredType>([
  [INT8, Int8Array],
  [2, Uint8Array],
  [3, Int16Array],
  [4, Uint16Array],
  [INT32, Int32Array],
  [UINT32, Uint32Array],
  [7, Float32Array],
  [9, Float64Array],
]);

type StoredType =
  | typeof Int8Array
  | typeof Uint8Array
  | typeof Int16Array
  | typeof Uint16Array
  | typeof Int32Array
  | typeof Uint32Array
  | typeof Float32Array
  | typeof Float64Array;

/** Classes of arrays from double to uint32. */
const FIRST_NUMERIC = 6;
const LAST_NUMERIC = 13;
const COMPLEX_FLAG = 0x08;

export interface MatArray {
  readonly shape: readonly number[];
  /** Column-major: the first index runs fastest. */
  readonly values: InstanceType<StoredType>;
}

interface Element {
  readonly type: number;
  readonly data: Buffer;
  /** Where the next element begins. */
  readonly next: number;
}

/**
 * The arrays of a file by name.
 *
 * @param maxBytes most bytes of all elements together, inflated.
 * @throws DataError BAD_FORMAT, TOO_LARGE
 */
export function parseMat(bytes: Uint8Array, source: string, maxBytes: number): ReadonlyMap<string, MatArray> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(file, source);
  const arrays = new Map<string, MatArray>();
  let left = maxBytes;
  let at = HEADER_BYTES;
  for (let count = 0; at < file.length; count++) {
    if (count === MAX_ELEMENTS) refuse(source, `it has more than ${MAX_ELEMENTS} elements`);
    const { type, data, next } = elementAt(file, at, source);
    const matrix = type === COMPRESSED ? inflated(data, left, source, maxBytes) : { type, data };
    left -= matrix.data.length;
    if (left < 0) throw tooLarge(source, maxBytes);
    if (matrix.type !== MATRIX) refuse(source, `an element of type ${matrix.type} stands where an array should`);
    const { name, array } = parseMatrix(matrix.data, source);
    if (arrays.has(name)) refuse(source, `it has two arrays ${name}`);
    arrays.set(name, array);
    // The last element's padding may be left out, and so is all padding of compressed ones.
    at = type === COMPRESSED ? at + TAG_BYTES + data.length : next;
  }
  return arrays;
}

function checkHeader(file: Buffer, source: string): void {
  if (file.length < HEADER_BYTES) refuse(source, `${file.length} bytes are less than its header`);
  const order = file.toString("latin1", 126, 128);
  if (order === "MI") refuse(source, "it is big-endian; save it on a little-endian machine");
  if (order !== LITTLE_ENDIAN) refuse(source, "the mark of its byte order is missing (level 4 files have none)");
  const version = file.readUInt16LE(124);
  if (version !== VERSION)
    refuse(
      source,
      `its version is 0x${version.toString(16)}, not 0x0100; save an HDF5 file ("-v7.3") again with "-v7"`,
    );
}

/** The element at a place: type and length as two words, or both in one with up to four bytes of data behind. */
function elementAt(block: Buffer, at: number, source: string): Element {
  if (at + TAG_BYTES > block.length) refuse(source, `the element at byte ${at} is cut off`);
  const word = block.readUInt32LE(at);
  const small = word >>> 16;
  if (small > 4) refuse(source, `the small element at byte ${at} has ${small} bytes`);
  const start = small > 0 ? at + 4 : at + TAG_BYTES;
  const length = small > 0 ? small : block.readUInt32LE(at + 4);
  if (length > block.length - start) refuse(source, `the element at byte ${at} of ${length} bytes is cut off`);
  const next = small > 0 ? at + TAG_BYTES : start + Math.ceil(length / 8) * 8;
  return { type: word & 0xffff, data: block.subarray(start, start + length), next };
}

function inflated(packed: Buffer, left: number, source: string, maxBytes: number): Element {
  let block: Buffer;
  try {
    block = inflateSync(packed, { maxOutputLength: left + TAG_BYTES });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(source, maxBytes, cause);
    return refuse(source, "a compressed element is damaged", cause);
  }
  const element = elementAt(block, 0, source);
  if (element.next < block.length) refuse(source, "a compressed element holds more than one array");
  return element;
}

function parseMatrix(block: Buffer, source: string): { readonly name: string; readonly array: MatArray } {
  let at = 0;
  const take = (what: string, type?: number): Element => {
    const element = elementAt(block, at, source);
    if (type !== undefined && element.type !== type)
      refuse(source, `an array's ${what} are of type ${element.type}, not ${type}`);
    at = element.next;
    return element;
  };
  const flags = take("flags", UINT32).data;
  if (flags.length !== 8) refuse(source, `an array has ${flags.length} bytes of flags, not 8`);
  const sizes = take("dimensions", INT32).data;
  const name = take("names", INT8).data.toString("latin1");
  const kind = flags[0] as number;
  if (kind < FIRST_NUMERIC || kind > LAST_NUMERIC)
    refuse(
      source,
      `${name} is of class ${kind}; numeric arrays of up to 32-bit integers (${FIRST_NUMERIC} to ${LAST_NUMERIC}) are read`,
    );
  if (((flags[1] as number) & COMPLEX_FLAG) !== 0) refuse(source, `${name} is complex`);
  if (sizes.length % 4 !== 0 || sizes.length < 8 || sizes.length > 4 * MAX_DIMENSIONS)
    refuse(source, `${name} has ${sizes.length / 4} dimensions, not 2 to ${MAX_DIMENSIONS}`);
  const shape = Array.from({ length: sizes.length / 4 }, (_, i) => sizes.readInt32LE(4 * i));
  const { type, data } = take("values");
  const stored = STORED.get(type);
  if (stored === undefined)
    return refuse(source, `the values of ${name} are of type ${type}, which is no number of up to 64 bits`);
  // Products past 2^53 are inexact, and far from any length.
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 0) || count * stored.BYTES_PER_ELEMENT !== data.length)
    refuse(source, `the shape (${shape.join(", ")}) of ${name} does not fill ${data.length} bytes`);
  // A copy, since values need not begin where their type may.
  return { name, array: { shape, values: new stored(new Uint8Array(data).buffer) } };
}

function tooLarge(source: string, maxBytes: number, cause?: unknown): DataError {
  return new DataError(
    "TOO_LARGE",
    `${source} unpacks to more than ${maxBytes} bytes, which is all that is read of it.`,
    { source, maxBytes },
    cause,
  );
}

function refuse(source: string, why: string, cause?: unknown): never {
  throw new DataError("BAD_FORMAT", `${source} is not a MAT-file that can be read: ${why}.`, { source }, cause);
}
