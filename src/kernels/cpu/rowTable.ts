// SPDX-License-Identifier: Apache-2.0
import { chunkLength, lowerBound, type UpdateChunk } from "../../protocol/updateChunk.ts";
import type { SharedHeap } from "./sharedHeap.ts";
import { ROW_WORDS } from "./tileJob.ts";

const KIND = { dense: 0, int8: 1, int16: 2, sparse: 3 } as const;
const SCALE_BYTES = 4;
/** Kernels may read this far past a row's end. */
const SLACK = 128;
const LINE = 64;

const upToLine = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;

/** Whether kernels can work on a chunk where it lies. */
function liesIn(heap: SharedHeap, chunk: UpdateChunk): boolean {
  if (chunk.kind === "dense") return heap.holds(chunk.values);
  if (chunk.kind === "blocks") return heap.holds(chunk.bytes);
  return heap.holds(chunk.indices) && heap.holds(chunk.values);
}

/** Most bytes that `tile` consecutive coordinates of a chunk take, from the scale of their first block on. */
function copiedBytes(chunk: UpdateChunk, tile: number): number {
  const size = Math.min(tile, chunkLength(chunk));
  if (chunk.kind === "dense") return upToLine(4 * size + SLACK);
  if (chunk.kind === "sparse") return 2 * upToLine(4 * Math.min(size, chunk.indices.length) + SLACK);
  const { blockSize, valueBytes } = chunk;
  const blocks = Math.ceil(size / blockSize) + 1;
  return upToLine(Math.min(chunk.bytes.length, blocks * (SCALE_BYTES + blockSize * valueBytes)) + SLACK);
}

/**
 * Descriptions of K updates' chunks as kernels read them (assembly/rows.ts). Chunks that lie in the kernels' memory are described once and
 * computed on where they are; of others one tile at a time is copied to a slot, of which there are a few, each with a table of its own.
 */
export class RowTable {
  /** Address of slot 0's table. */
  readonly address: number;
  readonly slots: number;
  readonly slotBytes: number;
  /** Whether some chunk must be copied tile by tile. */
  readonly copies: boolean;
  readonly #heap: SharedHeap;
  readonly #chunks: readonly UpdateChunk[];
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  /** @param weights λ of each chunk; without them 0. @throws KernelError OUT_OF_MEMORY */
  constructor(
    heap: SharedHeap,
    chunks: readonly UpdateChunk[],
    tile: number,
    slots: number,
    weights: Uint32Array | undefined,
  ) {
    this.#heap = heap;
    this.#chunks = chunks;
    const table = upToLine(4 * ROW_WORDS * chunks.length);
    let room = 0;
    for (const chunk of chunks) if (!liesIn(heap, chunk)) room += copiedBytes(chunk, tile);
    this.copies = room > 0;
    this.slots = this.copies ? slots : 1;
    this.slotBytes = table + room;
    this.address = heap.take(this.slots * this.slotBytes);
    this.#bytes = new Uint8Array(heap.buffer);
    this.#words = new Uint32Array(heap.buffer, this.address, (this.slots * this.slotBytes) / 4);
    for (let slot = 0; slot < this.slots; slot++) this.#describe(slot, tile, table, weights);
  }

  free(): void {
    this.#heap.give(this.address, this.slots * this.slotBytes);
  }

  /** Brings the coordinates [from, to) of the chunks that lie elsewhere to a slot. */
  copy(slot: number, from: number, to: number): void {
    for (const [k, chunk] of this.#chunks.entries()) {
      if (liesIn(this.#heap, chunk)) continue;
      const row = (slot * this.slotBytes) / 4 + k * ROW_WORDS;
      if (chunk.kind === "dense") {
        this.#words[row + 2] = from;
        this.#put(this.#words[row + 1] as number, chunk.values.subarray(from, to));
      } else if (chunk.kind === "sparse") {
        const first = lowerBound(chunk.indices, from);
        const end = lowerBound(chunk.indices, to);
        this.#put(this.#words[row + 1] as number, chunk.indices.subarray(first, end));
        this.#put(this.#words[row + 5] as number, chunk.values.subarray(first, end));
        this.#words[row + 6] = end - first;
      } else {
        const { bytes, blockSize, valueBytes } = chunk;
        const block = Math.floor((chunk.skip + from) / blockSize);
        const blockBytes = SCALE_BYTES + blockSize * valueBytes;
        const last = Math.floor((chunk.skip + to - 1) / blockSize);
        const end = last * blockBytes + SCALE_BYTES + (chunk.skip + to - last * blockSize) * valueBytes;
        this.#put(this.#words[row + 1] as number, bytes.subarray(block * blockBytes, end));
        this.#words[row + 2] = from;
        this.#words[row + 4] = chunk.skip + from - block * blockSize;
      }
    }
  }

  #put(address: number, from: Uint8Array | Int32Array | Uint32Array): void {
    this.#bytes.set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength), address);
  }

  #describe(slot: number, tile: number, table: number, weights: Uint32Array | undefined): void {
    let room = this.address + slot * this.slotBytes + table;
    for (const [k, chunk] of this.#chunks.entries()) {
      const inPlace = liesIn(this.#heap, chunk);
      const place = (view: ArrayBufferView): number => (inPlace ? view.byteOffset : room);
      const row = [0, 0, 0, 0, 0, 0, 0, weights?.[k] ?? 0];
      if (chunk.kind === "dense") {
        row[0] = KIND.dense;
        row[1] = place(chunk.values);
      } else if (chunk.kind === "blocks") {
        row[0] = chunk.valueBytes === 1 ? KIND.int8 : KIND.int16;
        row[1] = place(chunk.bytes);
        row[3] = chunk.blockSize;
        row[4] = chunk.skip;
      } else {
        row[0] = KIND.sparse;
        row[1] = place(chunk.indices);
        row[5] = inPlace ? chunk.values.byteOffset : room + copiedBytes(chunk, tile) / 2;
        row[6] = chunk.indices.length;
      }
      this.#words.set(row, (slot * this.slotBytes) / 4 + k * ROW_WORDS);
      if (!inPlace) room += copiedBytes(chunk, tile);
    }
  }
}
