// SPDX-License-Identifier: Apache-2.0

/** Consecutive coordinates as grid integers, |q| < 2^24. */
export interface DenseChunk {
  readonly kind: "dense";
  readonly values: Int32Array;
}

/**
 * Consecutive coordinates as they stand in an artifact's inflated payload (docs/protocol.md, Artifact): blocks of a big-endian uint32 scale
 * and `blockSize` big-endian values k of `valueBytes` bytes, q = scale·k. Verified before: |q| < 2^24, and −2^15 and −2^7 do not occur.
 */
export interface BlocksChunk {
  readonly kind: "blocks";
  /** From the scale of the block that holds the first coordinate to the last value; the last block may be cut short. */
  readonly bytes: Uint8Array;
  readonly valueBytes: 1 | 2;
  readonly blockSize: number;
  /** Values of the first block that come before the chunk. */
  readonly skip: number;
  /** Number of coordinates. */
  readonly count: number;
}

/** Consecutive coordinates of which most are 0. */
export interface SparseChunk {
  readonly kind: "sparse";
  /** Ascending, counted from the chunk's first coordinate. */
  readonly indices: Uint32Array;
  /** q at the indices. */
  readonly values: Int32Array;
  /** Number of coordinates. */
  readonly count: number;
}

/** One update's values at consecutive coordinates, in the form in which they came: expanding them first would multiply what has to be read. */
export type UpdateChunk = DenseChunk | BlocksChunk | SparseChunk;

export function chunkLength(chunk: UpdateChunk): number {
  return chunk.kind === "dense" ? chunk.values.length : chunk.count;
}

/**
 * Consecutive coordinates of a chunk, as views of what it holds; only a sparse chunk's indices have to be written anew.
 *
 * @param memory for these, `sliceBytes(chunk, count)` of it; any address.
 */
export function sliceChunk(chunk: UpdateChunk, from: number, count: number, memory: Uint8Array): UpdateChunk {
  if (chunk.kind === "dense") return { kind: "dense", values: chunk.values.subarray(from, from + count) };
  if (chunk.kind === "sparse") {
    const first = lowerBound(chunk.indices, from);
    const end = lowerBound(chunk.indices, from + count);
    const indices = new Uint32Array(memory.buffer, Math.ceil(memory.byteOffset / 4) * 4, end - first);
    for (let i = first; i < end; i++) indices[i - first] = (chunk.indices[i] as number) - from;
    return { kind: "sparse", indices, values: chunk.values.subarray(first, end), count };
  }
  const { bytes, valueBytes, blockSize } = chunk;
  const block = Math.floor((chunk.skip + from) / blockSize);
  const skip = chunk.skip + from - block * blockSize;
  const start = block * blocksBytes(blockSize, blockSize, valueBytes);
  const end = start + blocksBytes(skip + count, blockSize, valueBytes);
  return { kind: "blocks", bytes: bytes.subarray(start, end), valueBytes, blockSize, skip, count };
}

/** Most memory that `sliceChunk` takes for `count` coordinates: for the indices, and 3 bytes to get to an address that they may have. */
export function sliceBytes(chunk: UpdateChunk, count: number): number {
  return chunk.kind === "sparse" ? 4 * Math.min(count, chunk.indices.length) + 3 : 0;
}

/** Bytes of values from the scale of their first block on. */
export function blocksBytes(values: number, blockSize: number, valueBytes: 1 | 2): number {
  return 4 * Math.ceil(values / blockSize) + valueBytes * values;
}

/** How many of ascending indices are below `bound`. */
export function lowerBound(indices: Uint32Array, bound: number): number {
  let low = 0;
  let high = indices.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((indices[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One pass over an update, from its first coordinate to its last. */
export interface UpdateReader {
  /**
   * The next `count` coordinates.
   *
   * @param memory where the chunk's bytes may be put, at least `bytesPerChunk(count)` of the source; a chunk that views it is valid until the
   * same memory is given again.
   */
  read(count: number, memory: Uint8Array): Promise<UpdateChunk>;
  /** Ends the pass early, or after its last coordinate. */
  close(): Promise<void>;
}

/** An accepted update that can be read any number of times. */
export interface UpdateSource {
  readonly memberId: number;
  /** n_i, signed in the commit. */
  readonly samples: number;
  /** d. */
  readonly size: number;
  /** Most bytes of memory that a chunk of `count` coordinates takes. */
  bytesPerChunk(count: number): number;
  open(): Promise<UpdateReader>;
}

/** An update whose coordinates lie in memory as one chunk, in whatever form; it is neither copied nor changed. */
export function chunkInMemory(chunk: UpdateChunk): Pick<UpdateSource, "size" | "bytesPerChunk" | "open"> {
  return {
    size: chunkLength(chunk),
    bytesPerChunk: (count) => sliceBytes(chunk, count),
    open: async () => {
      let at = 0;
      return {
        read: async (count, memory) => {
          const from = at;
          at += count;
          return sliceChunk(chunk, from, count, memory);
        },
        close: async () => {},
      };
    },
  };
}
