// SPDX-License-Identifier: Apache-2.0
import { equalBytes, utf8 } from "./bytes.ts";
import { byCodeUnit, canonicalJson } from "./canonicalJson.ts";
import { chunkRoot } from "./chunkRoot.ts";
import { DecodeError } from "./errors.ts";
import { joinMaster, splitMaster } from "./grid.ts";
import type { ModelLayout, TensorLayout } from "./layout.ts";

/**
 * A checkpoint is one canonical safetensors file (docs/protocol.md, Checkpoint): float32 tensors that any tool opens, and int16 remainders
 * `<name>.remainder` that restore the exact master model.
 */
interface Entry {
  readonly name: string;
  readonly dtype: "F32" | "I16";
  readonly bytes: number;
  readonly tensor: TensorLayout;
}

function entries(layout: ModelLayout): Entry[] {
  const tensors = [...layout.tensors].sort((a, b) => byCodeUnit(a.name, b.name));
  return [
    ...tensors.map((tensor): Entry => ({ name: tensor.name, dtype: "F32", bytes: 4 * tensor.size, tensor })),
    ...tensors.map(
      (tensor): Entry => ({ name: `${tensor.name}.remainder`, dtype: "I16", bytes: 2 * tensor.size, tensor }),
    ),
  ];
}

function header(layout: ModelLayout): Uint8Array {
  let offset = 0;
  const described: Record<string, { dtype: string; shape: readonly number[]; data_offsets: readonly number[] }> = {};
  for (const { name, dtype, bytes, tensor } of entries(layout)) {
    described[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = utf8(canonicalJson(described));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  return padded;
}

/** Size in bytes of every checkpoint of a layout; known before anything is fetched. */
export function checkpointSize(layout: ModelLayout): number {
  return 8 + header(layout).length + 6 * layout.size;
}

/** The canonical file of a master model. */
export function encodeCheckpoint(master: Float64Array, layout: ModelLayout): Uint8Array {
  const { view, remainder } = splitMaster(master, layout);
  const json = header(layout);
  const file = new Uint8Array(8 + json.length + 6 * layout.size);
  const data = new DataView(file.buffer);
  data.setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let offset = 8 + json.length;
  for (const { dtype, tensor } of entries(layout)) {
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      if (dtype === "F32") {
        data.setFloat32(offset, view[j] as number, true);
        offset += 4;
      } else {
        data.setInt16(offset, remainder[j] as number, true);
        offset += 2;
      }
    }
  }
  return file;
}

/** Master model of a checkpoint file; refuses every byte sequence that `encodeCheckpoint` would not have written. */
export function decodeCheckpoint(file: Uint8Array, layout: ModelLayout): Float64Array {
  const json = header(layout);
  const expected = 8 + json.length + 6 * layout.size;
  if (file.length !== expected)
    throw new DecodeError(`The checkpoint has ${file.length} bytes; its layout takes ${expected}.`, {
      actual: file.length,
      expected,
    });
  const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (data.getBigUint64(0, true) !== BigInt(json.length) || !equalBytes(file.subarray(8, 8 + json.length), json)) {
    throw new DecodeError("The checkpoint's header is not the canonical header of the run's layout.");
  }
  const view = new Float32Array(layout.size);
  const remainder = new Int16Array(layout.size);
  let offset = 8 + json.length;
  for (const { dtype, tensor } of entries(layout)) {
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      if (dtype === "F32") {
        view[j] = data.getFloat32(offset, true);
        offset += 4;
      } else {
        remainder[j] = data.getInt16(offset, true);
        offset += 2;
      }
    }
  }
  return joinMaster(view, remainder, layout);
}

/** modelRoot: the digest by which a model is known on chain. */
export function modelRoot(file: Uint8Array): Uint8Array {
  return chunkRoot(file);
}
