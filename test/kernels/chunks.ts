// SPDX-License-Identifier: Apache-2.0
import { UPDATE_LIMIT } from "../../src/protocol/grid.ts";
import type { Random } from "../../src/protocol/random.ts";
import { blocksBytes, type UpdateChunk } from "../../src/protocol/updateChunk.ts";
import { blockForm, encodeBlocks, type ValueBytes } from "../../src/update/blocks.ts";

export const TOP = UPDATE_LIMIT - 1;

/** A chunk and the values it stands for, written down independently of any decoder under test. */
export interface Known {
  readonly chunk: UpdateChunk;
  readonly values: Int32Array;
}

export const dense = (values: ArrayLike<number>): Known => {
  const copy = Int32Array.from(values);
  return { chunk: { kind: "dense", values: copy }, values: copy };
};

export function sparse(values: ArrayLike<number>): Known {
  const all = Int32Array.from(values);
  const indices = Uint32Array.from([...all.keys()].filter((j) => all[j] !== 0));
  return {
    chunk: { kind: "sparse", indices, values: Int32Array.from(indices, (j) => all[j] as number), count: all.length },
    values: all,
  };
}

/**
 * What is left of `values` after quantisation into blocks, from the coordinate `skip` on, with the blocks' bytes beginning `lead` bytes into
 * their buffer: chunks in a stream lie at any address.
 */
export function blocks(
  values: ArrayLike<number>,
  valueBytes: ValueBytes,
  blockSize: number,
  skip = 0,
  lead = 0,
): Known {
  const all = Int32Array.from(values);
  const limit = valueBytes === 2 ? 32_767 : 127;
  const quantised = new Int32Array(all.length);
  for (let start = 0; start < all.length; start += blockSize) {
    const block = all.subarray(start, start + blockSize);
    const scale = Math.max(1, Math.ceil(block.reduce((most, q) => Math.max(most, Math.abs(q)), 0) / limit));
    quantised.set(
      block.map((q) => Math.trunc(q / scale) * scale),
      start,
    );
  }
  const encoded = encodeBlocks(all, blockForm(valueBytes, blockSize));
  const firstBlock = Math.floor(skip / blockSize);
  const at = firstBlock * blocksBytes(blockSize, blockSize, valueBytes);
  const shifted = new Uint8Array(lead + encoded.length - at);
  shifted.set(encoded.subarray(at), lead);
  return {
    chunk: {
      kind: "blocks",
      bytes: shifted.subarray(lead),
      valueBytes,
      blockSize,
      skip: skip - firstBlock * blockSize,
      count: all.length - skip,
    },
    values: quantised.subarray(skip),
  };
}

export const FORMS: Readonly<Record<string, (values: ArrayLike<number>, random: Random) => Known>> = {
  dense,
  sparse: (values, random) => sparse(Int32Array.from(values, (q) => (random.integerBelow(4) === 0 ? q : 0))),
  int16: (values) => blocks(values, 2, 64),
  int8: (values) => blocks(values, 1, 64),
  "int16 at an odd place": (values, random) => {
    const skip = random.integerBelow(100);
    return blocks(Int32Array.of(...new Int32Array(skip).fill(5), ...Array.from(values)), 2, 33, skip, 3);
  },
  "int8 at an odd place": (values, random) => {
    const skip = random.integerBelow(100);
    return blocks(Int32Array.of(...new Int32Array(skip).fill(5), ...Array.from(values)), 1, 7, skip, 1);
  },
};
