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

/** A source of values that are already in memory; they are neither copied nor changed. */
export function denseSource(update: {
  readonly memberId: number;
  readonly samples: number;
  readonly values: Int32Array;
}): UpdateSource {
  const { memberId, samples, values } = update;
  return {
    memberId,
    samples,
    size: values.length,
    bytesPerChunk: () => 0,
    open: async () => {
      let at = 0;
      return {
        read: async (count) => {
          const from = at;
          at += count;
          return { kind: "dense", values: values.subarray(from, at) };
        },
        close: async () => {},
      };
    },
  };
}
