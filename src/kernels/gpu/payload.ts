// SPDX-License-Identifier: Apache-2.0
import {
  type BlocksChunk,
  chunkLength,
  type DenseChunk,
  lowerBound,
  type SparseChunk,
  type UpdateChunk,
} from "../../protocol/updateChunk.ts";

/** Consecutive coordinates that are on the device at the same time. */
export interface Tile {
  /** A multiple of 4. */
  readonly from: number;
  readonly count: number;
}

/** Words before the first descriptor: what all threads of a kernel know. The shaders' names for them are in `shaders/payload.ts`. */
export const HEAD_WORDS = 16;
/** Words of one update's descriptor. */
export const DESCRIPTOR_WORDS = 8;
/** A binding begins at a multiple of this on every device. */
const BINDING_ALIGNMENT = 256;

export const KIND = { dense: 0, int8: 1, int16: 2, sparse: 3 } as const;

/** Where one update's part of a tile lies in the payload. */
interface Piece {
  /** DESCRIPTOR_WORDS numbers, each modulo 2^32. */
  readonly descriptor: readonly number[];
  /** What is copied, and to which byte. */
  readonly parts: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** Where the next piece may begin. */
  readonly end: number;
}

/**
 * One tile of K updates as it is uploaded: head, descriptors, then each update's bytes as they came. The shaders decode; nothing is expanded
 * here.
 */
export interface Payload {
  readonly tile: Tile;
  readonly byteLength: number;
  /** Coordinates between two rows of a matrix: `tile.count`, rounded up to a multiple of 4. */
  readonly stride: number;
  readonly rows: number;
  /** Of these, sparse ones. */
  readonly sparseRows: number;
  /** Most entries that a sparse update has in this tile. */
  readonly mostEntries: number;
  /** Where the K × stride int32 matrix begins, if every update is dense. */
  readonly matrixOffset: number | undefined;
  /** Fills `byteLength` bytes. */
  write(target: Uint8Array): void;
}

export interface PayloadRow {
  readonly chunk: UpdateChunk;
  /** λ, for the weighted sum. */
  readonly weight?: number;
}

/** @param settings what the kernel wants to know, from the head's word 4 on. */
export function layOut(rows: readonly PayloadRow[], tile: Tile, settings: readonly number[] = []): Payload {
  const stride = Math.ceil(tile.count / 4) * 4;
  const headBytes = alignUp(4 * (HEAD_WORDS + DESCRIPTOR_WORDS * rows.length), BINDING_ALIGNMENT);
  const pieces: Piece[] = [];
  let end = headBytes;
  for (const { chunk, weight = 0 } of rows) {
    const piece = pieceOf(chunk, weight, tile, stride, end);
    pieces.push(piece);
    end = piece.end;
  }
  const sparse = rows.filter(({ chunk }) => chunk.kind === "sparse").length;
  return {
    tile,
    byteLength: end,
    stride,
    rows: rows.length,
    sparseRows: sparse,
    mostEntries: pieces.reduce(
      (most, { descriptor }) => (descriptor[0] === KIND.sparse ? Math.max(most, descriptor[2] as number) : most),
      0,
    ),
    matrixOffset: rows.every(({ chunk }) => chunk.kind === "dense") ? headBytes : undefined,
    write: (target) => {
      const head = new Uint32Array(target.buffer, target.byteOffset, headBytes / 4);
      head.fill(0);
      head.set([tile.count, stride, rows.length, rows.length - sparse, ...settings]);
      for (const [k, { descriptor, parts }] of pieces.entries()) {
        head.set(descriptor, HEAD_WORDS + DESCRIPTOR_WORDS * k);
        for (const { at, bytes } of parts) target.set(bytes, at);
      }
    },
  };
}

/** Bytes of payload that a coordinate takes on average. */
export function bytesPerCoordinate(chunk: UpdateChunk): number {
  if (chunk.kind === "dense") return 4;
  if (chunk.kind === "blocks") return chunk.valueBytes + 4 / chunk.blockSize;
  return (8 * chunk.indices.length) / Math.max(1, chunk.count);
}

/**
 * Cuts `size` coordinates into tiles whose payload, and whose K × count matrix if one is made, take about `tileBytes`. Entries of sparse
 * updates may crowd together: a tile that turns out to be too large is halved.
 */
export function* tilesOf(
  rows: readonly PayloadRow[],
  { tileBytes, outputBytes, matrix }: { tileBytes: number; outputBytes: number; matrix: boolean },
  settings: readonly number[] = [],
): Generator<Payload> {
  const size = chunkLength((rows[0] as PayloadRow).chunk);
  const uploaded = rows.reduce((sum, { chunk }) => sum + bytesPerCoordinate(chunk), 0);
  const perCoordinate = Math.max(uploaded, outputBytes, matrix ? 4 * rows.length : 0);
  const usual = Math.max(64, Math.floor(tileBytes / perCoordinate / 64) * 64);
  let from = 0;
  while (from < size) {
    let count = Math.min(usual, size - from);
    let payload = layOut(rows, { from, count }, settings);
    while (payload.byteLength > 2 * tileBytes && count > 64) {
      count = Math.max(64, Math.floor(count / 128) * 64);
      payload = layOut(rows, { from, count }, settings);
    }
    yield payload;
    from += count;
  }
}

function pieceOf(chunk: UpdateChunk, weight: number, tile: Tile, stride: number, at: number): Piece {
  if (chunk.kind === "dense") return densePiece(chunk, weight, tile, stride, at);
  return chunk.kind === "blocks" ? blocksPiece(chunk, weight, tile, at) : sparsePiece(chunk, weight, tile, at);
}

function densePiece({ values }: DenseChunk, weight: number, { from, count }: Tile, stride: number, at: number): Piece {
  const start = alignUp(at, 16);
  const part = values.subarray(from, from + count);
  return {
    descriptor: [KIND.dense, start / 16, 0, 0, 0, weight],
    parts: [{ at: start, bytes: bytesOf(part) }],
    end: start + 4 * stride,
  };
}

/**
 * From the first value to the last that the tile needs, without the first block's scale, which stands in the descriptor. The descriptor says
 * where the first block would begin if it were there in full (which may be before the payload: addresses wrap modulo 2^32). Blocks begin at a
 * multiple of 4 if their length is one.
 */
function blocksPiece(chunk: BlocksChunk, weight: number, { from, count }: Tile, at: number): Piece {
  const { bytes, valueBytes, blockSize } = chunk;
  const blockBytes = 4 + blockSize * valueBytes;
  const first = chunk.skip + from;
  const last = first + count - 1;
  const firstBlock = Math.floor(first / blockSize);
  const skip = first - firstBlock * blockSize;
  const lastBlock = Math.floor(last / blockSize);
  const source = bytes.subarray(
    firstBlock * blockBytes + 4 + skip * valueBytes,
    lastBlock * blockBytes + 4 + (last - lastBlock * blockSize + 1) * valueBytes,
  );
  const start = alignUp(at, 4) + ((skip * valueBytes) % 4);
  const scale = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(firstBlock * blockBytes);
  // Then four neighbours lie in one block, in one or two whole words.
  const fours = blockSize % 4 === 0 && skip % 4 === 0 ? 1 : 0;
  return {
    descriptor: [
      valueBytes === 1 ? KIND.int8 : KIND.int16,
      (start - 4 - skip * valueBytes) >>> 0,
      blockSize,
      skip,
      scale,
      weight,
      fours,
    ],
    parts: [{ at: start, bytes: source }],
    end: start + source.length,
  };
}

function sparsePiece({ indices, values }: SparseChunk, weight: number, { from, count }: Tile, at: number): Piece {
  const first = lowerBound(indices, from);
  const end = lowerBound(indices, from + count);
  const start = alignUp(at, 4);
  const valuesAt = start + 4 * (end - first);
  return {
    descriptor: [KIND.sparse, start / 4, end - first, from, valuesAt / 4, weight],
    parts: [
      { at: start, bytes: bytesOf(indices.subarray(first, end)) },
      { at: valuesAt, bytes: bytesOf(values.subarray(first, end)) },
    ],
    end: valuesAt + 4 * (end - first),
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const alignUp = (at: number, unit: number): number => Math.ceil(at / unit) * unit;
