// SPDX-License-Identifier: Apache-2.0
import { blocksBytes, type UpdateChunk, type UpdateSource } from "../../src/protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../../src/protocol/verifiedUpdate.ts";
import type { KernelMemory, WideKernels } from "../../src/protocol/wideKernels.ts";
import { blockForm, encodeBlocks, type ValueBytes } from "../../src/update/blocks.ts";

/** How updates are stored: grid integers of the full range or within int16; an artifact's blocks; 1 % of the coordinates. */
export type Form = "dense" | "narrow" | "int16" | "int8" | "sparse";

export const RANGE: Readonly<Record<Form, number>> = {
  dense: 16_777_215,
  narrow: 32_767,
  int16: 16_777_215,
  int8: 16_777_215,
  sparse: 16_777_215,
};

/** Block size of the demo's recipe. */
const BLOCK = 128;
/** One coordinate of this many is kept. */
const SPARSITY = 100;

/** Coordinates that one kernel call is about: longer vectors are swept chunk by chunk, as validators do. */
export const CHUNK = 1_000_000;

/** Bytes of dense updates that are held: several times any cache, so that what is read comes from memory. */
const RESIDENT_BYTES = 400_000_000;

/** Coordinates per update that are held, a multiple of the chunk. */
export function residentLength(k: number): number {
  return Math.max(1, Math.floor(RESIDENT_BYTES / (4 * k * CHUNK))) * CHUNK;
}

/** Bytes of `count` coordinates of one update. */
export function storedBytes(form: Form, count: number): number {
  switch (form) {
    case "dense":
    case "narrow":
      return 4 * count;
    case "int16":
      return blocksBytes(count, BLOCK, 2);
    case "int8":
      return blocksBytes(count, BLOCK, 1);
    case "sparse":
      return 8 * Math.floor(count / SPARSITY);
  }
}

/** A multiple of the block size, and of no vector's length. */
const POOL = 32_768 * BLOCK;
/** Where the next update begins in the pool. */
const STEP = 1_531 * BLOCK;

const pools = new Map<number, Int32Array>();

/** Values that all updates are cut from. Marsaglia's xorshift: fast, and the same in every run. */
function poolOf(range: number): Int32Array {
  const known = pools.get(range);
  if (known !== undefined) return known;
  let state = 0x2545f491;
  const values = new Int32Array(POOL);
  for (let i = 0; i < POOL; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = state % (range + 1);
  }
  pools.set(range, values);
  return values;
}

/** Copies `source` over and over, from `from` on. */
function fillFrom<T extends Int32Array | Uint8Array>(target: T, source: T, from: number): void {
  let at = 0;
  let place = from % source.length;
  while (at < target.length) {
    const piece = source.subarray(place, Math.min(source.length, place + target.length - at));
    target.set(piece, at);
    at += piece.length;
    place = 0;
  }
}

/** K updates in one form, held in the memory that a backend computes on in place. */
export class Resident {
  readonly k: number;
  /** Coordinates held of each update; longer ones repeat them. */
  readonly length: number;
  readonly #memories: KernelMemory[] = [];
  readonly #chunk: (update: number, start: number, count: number) => UpdateChunk;

  /** @param unit coordinates per chunk: sparse indices count from its beginning. */
  constructor(kernels: WideKernels, form: Form, k: number, unit: number) {
    this.k = k;
    this.length = residentLength(k);
    const values = poolOf(RANGE[form]);
    const allocate = (bytes: number): Uint8Array => {
      const memory = kernels.allocate(bytes);
      this.#memories.push(memory);
      return memory.bytes;
    };
    const integers = (count: number): Int32Array => {
      const bytes = allocate(4 * count);
      return new Int32Array(bytes.buffer, bytes.byteOffset, count);
    };
    if (form === "dense" || form === "narrow") {
      const updates = Array.from({ length: k }, (_, update) => {
        const own = integers(this.length);
        fillFrom(own, values, update * STEP);
        return own;
      });
      this.#chunk = (update, start, count) => ({
        kind: "dense",
        values: (updates[update] as Int32Array).subarray(start, start + count),
      });
    } else if (form === "sparse") {
      const kept = unit / SPARSITY;
      const updates = Array.from({ length: k }, (_, update) => {
        const indices = integers(kept);
        for (let i = 0; i < kept; i++) indices[i] = SPARSITY * i + ((i * 61 + update * 37) % SPARSITY);
        const all = integers(this.length / SPARSITY);
        fillFrom(all, values, update * STEP);
        return { indices: new Uint32Array(indices.buffer, indices.byteOffset, kept), all };
      });
      this.#chunk = (update, start, count) => {
        const { indices, all } = updates[update] as (typeof updates)[number];
        if (count !== unit) throw new RangeError(`Sparse data was made for chunks of ${unit}, not ${count}.`);
        return { kind: "sparse", indices, values: all.subarray(start / SPARSITY, (start + count) / SPARSITY), count };
      };
    } else {
      const valueBytes: ValueBytes = form === "int16" ? 2 : 1;
      const encoded = encodeBlocks(values, blockForm(valueBytes, BLOCK));
      const blockBytes = blocksBytes(BLOCK, BLOCK, valueBytes);
      const updates = Array.from({ length: k }, (_, update) => {
        const own = allocate(Math.ceil(this.length / BLOCK) * blockBytes);
        fillFrom(own, encoded, ((update * STEP) / BLOCK) * blockBytes);
        return own;
      });
      this.#chunk = (update, start, count) => {
        const first = Math.floor(start / BLOCK);
        const skip = start - first * BLOCK;
        const bytes = (updates[update] as Uint8Array).subarray(
          first * blockBytes,
          first * blockBytes + blocksBytes(skip + count, BLOCK, valueBytes),
        );
        return { kind: "blocks", bytes, valueBytes, blockSize: BLOCK, skip, count };
      };
    }
  }

  /** The same coordinates of all updates: the `part`-th stretch of `count`. */
  part(part: number, count: number): UpdateChunk[] {
    const start = (part % Math.floor(this.length / count)) * count;
    return Array.from({ length: this.k }, (_, update) => this.#chunk(update, start, count));
  }

  /**
   * The updates as `aggregate` takes them, as if their artifacts had been verified, of d coordinates each, beginning at the `part`-th stretch;
   * nothing is copied when they are read.
   */
  sources(part: number, d: number): VerifiedUpdate[] {
    const begin = d >= this.length ? 0 : (part % Math.floor(this.length / d)) * d;
    const sources = Array.from(
      { length: this.k },
      (_, update): UpdateSource => ({
        memberId: update + 1,
        samples: 100,
        size: d,
        bytesPerChunk: () => 0,
        open: async () => {
          let at = begin;
          return {
            read: async (count) => {
              if (at + count > this.length) at = 0;
              const chunk = this.#chunk(update, at, count);
              at += count;
              return chunk;
            },
            close: async () => {},
          };
        },
      }),
    );
    return sources as unknown as VerifiedUpdate[];
  }

  free(): void {
    for (const memory of this.#memories) memory.free();
  }
}
