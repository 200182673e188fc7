// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { concatBytes, utf8 } from "../../../protocol/bytes.ts";
import { DecodeError } from "../../../protocol/errors.ts";

/**
 * Float32 tensors as one safetensors file (u64 length of the header, JSON header, data; all little-endian), the payload of the messages to
 * and from a child process (docs/engines.md). Written and read here without a library, like the checkpoints of `src/protocol/checkpoint.ts`.
 */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Enough for the names and shapes of some thousands of tensors. */
const MOST_HEADER_BYTES = 1 << 20;

const FLOAT_BYTES = 4;

const entrySchema = z.strictObject({
  dtype: z.literal("F32"),
  shape: z.array(z.int().min(0)).max(8),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const headerSchema = z.record(z.string().min(1).max(256), entrySchema);

/** The file in pieces, to be written one after the other: values are not copied. The header is padded to 8 bytes. */
export function encodeTensors(tensors: Readonly<Record<string, FloatTensor>>): Uint8Array[] {
  const described: Record<string, z.input<typeof entrySchema>> = {};
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    described[name] = { dtype: "F32", shape: [...shape], data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = utf8(JSON.stringify(described));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [concatBytes(prefix, padded), ...Object.values(tensors).map(({ data }) => littleEndianBytes(data))];
}

/**
 * The tensors of a file; each owns its memory.
 *
 * @throws DecodeError unless header and data agree exactly: float32 only, one tensor after the other without gaps, nothing left over.
 */
export function decodeTensors(file: Uint8Array): Map<string, FloatTensor> {
  if (file.length < 8) throw new DecodeError(`A safetensors file has at least 8 bytes; this one has ${file.length}.`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MOST_HEADER_BYTES || 8 + headerLength > file.length)
    throw new DecodeError(`The safetensors header claims ${headerLength} bytes of a file of ${file.length}.`);
  const described = parseHeader(file.subarray(8, 8 + headerLength));
  const tensors = new Map<string, FloatTensor>();
  const entries = Object.entries(described).sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  let at = 0;
  for (const [name, { shape, data_offsets: offsets }] of entries) {
    const bytes = FLOAT_BYTES * shape.reduce((product, extent) => product * extent, 1);
    if (offsets[0] !== at || offsets[1] !== at + bytes || 8 + headerLength + at + bytes > file.length)
      throw new DecodeError(
        `Tensor "${name}" of shape [${shape.join(", ")}] lies at ${offsets.join(" to ")}; ${at} to ${at + bytes} within the file was expected.`,
      );
    const start = 8 + headerLength + at;
    tensors.set(name, { shape, data: floatsOf(file.subarray(start, start + bytes)) });
    at += bytes;
  }
  if (8 + headerLength + at !== file.length)
    throw new DecodeError(`${file.length - 8 - headerLength - at} bytes follow the last safetensors tensor.`);
  return tensors;
}

function parseHeader(bytes: Uint8Array): z.output<typeof headerSchema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError("The safetensors header is no JSON.", {}, cause);
  }
  // The one entry that is no tensor: free text of whoever wrote the file.
  if (typeof value === "object" && value !== null) delete (value as Record<string, unknown>)["__metadata__"];
  const parsed = headerSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DecodeError(`The safetensors header is not valid: ${z.prettifyError(parsed.error).slice(0, 500)}.`);
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function littleEndianBytes(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return LITTLE_ENDIAN ? bytes : swapped(bytes);
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const copy = LITTLE_ENDIAN ? bytes.slice() : swapped(bytes);
  return new Float32Array(copy.buffer);
}

function swapped(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  Buffer.from(copy.buffer).swap32();
  return copy;
}
