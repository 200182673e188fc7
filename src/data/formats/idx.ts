// SPDX-License-Identifier: Apache-2.0

/**
 * IDX, the format of MNIST: bytes 0, 0, type (0x08 = unsigned bytes, the only one read), number of dimensions; each dimension
 * as a big-endian uint32; the values, exactly to the end.
 */

import { DataError } from "../errors.ts";

const UNSIGNED_BYTES = 0x08;
const MAX_DIMENSIONS = 4;

export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major; a view of the file's bytes. */
  readonly values: Uint8Array;
}

/** @param source names the file in errors. @throws DataError BAD_FORMAT */
export function parseIdx(bytes: Uint8Array, source: string): IdxArray {
  const refuse = (why: string): never => {
    throw new DataError("BAD_FORMAT", `${source} is not an IDX file of bytes: ${why}. Fetch the file again.`, {
      source,
    });
  };
  if (bytes.length < 4) refuse(`it has ${bytes.length} bytes`);
  if (bytes[0] !== 0 || bytes[1] !== 0) refuse("it does not begin with two zero bytes");
  if (bytes[2] !== UNSIGNED_BYTES) refuse(`its type is ${bytes[2]}, not ${UNSIGNED_BYTES}`);
  const dimensions = bytes[3] as number;
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) refuse(`it has ${dimensions} dimensions`);
  const start = 4 + 4 * dimensions;
  if (bytes.length < start) refuse("its header is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  // Four dimensions of 2^32 − 1 stay finite; rounding there cannot make them equal to a real length.
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== bytes.length - start) refuse(`${shape.join(" × ")} values do not fill ${bytes.length - start} bytes`);
  return { shape, values: bytes.subarray(start) };
}
