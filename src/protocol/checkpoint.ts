// SPDX-License-Identifier: Apache-2.0
import { equalBytes, utf8 } from "./bytes.ts";
import { byCodeUnit, canonicalJson } from "./canonicalJson.ts";
import { chunkRoot } from "./chunkRoot.ts";
import { DecodeError } from "./errors.ts";
import { GridError, joinMaster, splitMaster } from "./grid.ts";
import type { ModelLayout, TensorLayout } from "./layout.ts";
import { type Recipe, serverOptimiserOf } from "./recipe.ts";
import { isMomentValue, type Moment, momentsOf, type ServerState } from "./serverState.ts";

/** A model between two rounds: all that the next round begins with. */
export interface Checkpoint {
  readonly master: Float64Array;
  /** Exactly the moments that the run's server optimiser keeps; empty without one. */
  readonly state: ServerState;
}

/** What of a run fixes the file's header and length. */
export interface CheckpointFormat {
  readonly layout: ModelLayout;
  readonly recipe: Pick<Recipe, "serverOptimiser">;
}

/**
 * A checkpoint is one canonical safetensors file (docs/protocol.md, Checkpoint): float32 tensors that any tool opens, int16 remainders
 * `<name>.remainder` that restore the exact master model, and the server optimiser's float64 `<name>.momentum` and `<name>.variance`.
 */
interface Entry {
  readonly name: string;
  readonly dtype: "F64" | "F32" | "I16";
  readonly part: Moment | "view" | "remainder";
  readonly tensor: TensorLayout;
}

const WIDTH = { F64: 8, F32: 4, I16: 2 } as const;

/** In order of the data: by falling width, so that every tensor is aligned. */
function entries({ layout, recipe }: CheckpointFormat): Entry[] {
  const tensors = [...layout.tensors].sort((a, b) => byCodeUnit(a.name, b.name));
  const moments = momentsOf(serverOptimiserOf(recipe));
  return [
    ...tensors.flatMap((tensor) =>
      moments.map((part): Entry => ({ name: `${tensor.name}.${part}`, dtype: "F64", part, tensor })),
    ),
    ...tensors.map((tensor): Entry => ({ name: tensor.name, dtype: "F32", part: "view", tensor })),
    ...tensors.map((tensor): Entry => ({ name: `${tensor.name}.remainder`, dtype: "I16", part: "remainder", tensor })),
  ];
}

function header(format: CheckpointFormat): Uint8Array {
  let offset = 0;
  const described: Record<string, { dtype: string; shape: readonly number[]; data_offsets: readonly number[] }> = {};
  for (const { name, dtype, tensor } of entries(format)) {
    const bytes = WIDTH[dtype] * tensor.size;
    described[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = utf8(canonicalJson(described));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  return padded;
}

function dataSize({ layout, recipe }: CheckpointFormat): number {
  return (WIDTH.F32 + WIDTH.I16 + WIDTH.F64 * momentsOf(serverOptimiserOf(recipe)).length) * layout.size;
}

/** Size in bytes of every checkpoint of a run; known before anything is fetched. */
export function checkpointSize(format: CheckpointFormat): number {
  return 8 + header(format).length + dataSize(format);
}

/**
 * The canonical file of a model.
 *
 * @throws GridError for a model off the grid, and for a state that is not the run's or has a value no state has.
 */
export function encodeCheckpoint({ master, state }: Checkpoint, format: CheckpointFormat): Uint8Array {
  requireMoments(state, format);
  const { view, remainder } = splitMaster(master, format.layout);
  const parts = { view, remainder, ...state };
  const json = header(format);
  const file = new Uint8Array(8 + json.length + dataSize(format));
  const data = new DataView(file.buffer);
  data.setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let offset = 8 + json.length;
  for (const { dtype, part, tensor } of entries(format)) {
    const values = parts[part] as Float64Array | Float32Array | Int16Array;
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const value = values[j] as number;
      if (dtype === "F64") data.setFloat64(offset, momentValue(part as Moment, value, tensor), true);
      else if (dtype === "F32") data.setFloat32(offset, value, true);
      else data.setInt16(offset, value, true);
      offset += WIDTH[dtype];
    }
  }
  return file;
}

/** Model of a checkpoint file; refuses every byte sequence that `encodeCheckpoint` would not have written. */
export function decodeCheckpoint(file: Uint8Array, format: CheckpointFormat): Checkpoint {
  const { layout, recipe } = format;
  const json = header(format);
  const expected = 8 + json.length + dataSize(format);
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
  const state = Object.fromEntries(
    momentsOf(serverOptimiserOf(recipe)).map((moment) => [moment, new Float64Array(layout.size)]),
  ) as ServerState;
  let offset = 8 + json.length;
  for (const { dtype, part, tensor } of entries(format)) {
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      if (dtype === "F64") {
        const value = momentValue(part as Moment, data.getFloat64(offset, true), tensor);
        (state[part as Moment] as Float64Array)[j] = value;
      } else if (dtype === "F32") view[j] = data.getFloat32(offset, true);
      else remainder[j] = data.getInt16(offset, true);
      offset += WIDTH[dtype];
    }
  }
  return { master: joinMaster(view, remainder, layout), state };
}

/** modelRoot: the digest by which a model is known on chain. */
export function modelRoot(file: Uint8Array): Uint8Array {
  return chunkRoot(file);
}

function requireMoments(state: ServerState, { layout, recipe }: CheckpointFormat): void {
  const wanted = momentsOf(serverOptimiserOf(recipe));
  const given = Object.entries(state);
  if (given.length !== wanted.length || wanted.some((moment) => state[moment]?.length !== layout.size)) {
    throw new GridError(
      `The run's checkpoints hold [${wanted.join(", ")}] of ${layout.size} coordinates; given are [${given.map(([name, { length }]) => `${name} of ${length}`).join(", ")}].`,
    );
  }
}

function momentValue(moment: Moment, value: number, tensor: TensorLayout): number {
  if (isMomentValue(moment, value)) return value;
  throw new GridError(
    `The ${moment} of ${tensor.name} has the value ${Object.is(value, -0) ? "−0" : value}, which no server optimiser makes.`,
    { tensor: tensor.name },
  );
}
