// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { LocalState } from "../learning/algorithms/localAlgorithm.ts";
import { DecodeError } from "../protocol/errors.ts";

const header = z.array(z.tuple([z.string(), z.int().min(0)]));

/** A member's local state as bytes: the header's length (uint32, little-endian), names and lengths as JSON, the float32 values. */
export function encodeLocalState(state: LocalState): Uint8Array {
  const entries = Object.entries(state);
  const names = Buffer.from(JSON.stringify(entries.map(([name, { length }]) => [name, length])));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(names.length);
  const values = entries.map(([, { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength));
  return Buffer.concat([length, names, ...values]);
}

/** @throws DecodeError for bytes that are no local state. */
export function decodeLocalState(bytes: Uint8Array): LocalState {
  const buffer = Buffer.from(bytes);
  try {
    const start = 4 + buffer.readUInt32LE(0);
    const names = header.parse(JSON.parse(buffer.subarray(4, start).toString()));
    let offset = start;
    const entries = names.map(([name, length]) => {
      const values = buffer.subarray(offset, offset + 4 * length);
      if (values.length !== 4 * length) throw new RangeError("values are missing");
      offset += 4 * length;
      return [name, new Float32Array(Uint8Array.from(values).buffer)] as const;
    });
    if (offset !== buffer.length) throw new RangeError("there is more than the names say");
    return Object.fromEntries(entries);
  } catch (cause) {
    throw new DecodeError(
      "The stored local state of the client algorithm is damaged. Delete local.bin to start without one.",
      {},
      cause,
    );
  }
}
