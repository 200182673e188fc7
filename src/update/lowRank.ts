// SPDX-License-Identifier: Apache-2.0
import { truncatedSvd } from "../numerics/truncatedSvd.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import { powerOfTwo, UPDATE_LIMIT } from "../protocol/grid.ts";
import type { ModelLayout, TensorLayout } from "../protocol/layout.ts";
import { keyedRandom } from "../protocol/random.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { blockForm, blocksLength, decodeBlocks, encodeBlocks, largestLevel, type OffGridValue } from "./blocks.ts";

/** What of a layout a payload depends on. */
export type PayloadLayout = Pick<ModelLayout, "size" | "tensors">;

/** Tensors that are not products: int16 in blocks that begin anew with each tensor. */
const DENSE = blockForm(2, 1_024);
/** Most values of a factor that a reader holds, and most values that it makes at a time. */
const MOST_HELD = 65_536;
const VALUE_BYTES = 2;
const SHIFT_BYTES = 1;
/** Largest |u| and |v|. */
const LEVELS = largestLevel(2);
/** Beyond it the largest product there can be is nothing. */
const MAX_SHIFT = 40;

interface Matrix {
  readonly rows: number;
  readonly columns: number;
}

/** The first extent against all others, as PowerSGD reads a convolution. */
function matrixOf(shape: readonly number[]): Matrix {
  const [rows = 1, ...others] = shape;
  return { rows, columns: others.reduce((product, extent) => product * extent, 1) };
}

/** Whether a tensor is sent as two factors: where they are fewer values than it has, and the wider one fits a reader's memory. */
export function isProduct(shape: readonly number[], rank: number): boolean {
  const { rows, columns } = matrixOf(shape);
  return shape.length > 1 && rank * (rows + columns) < rows * columns && rank * columns <= MOST_HELD;
}

/** @throws ConfigError for a codec of factors where no tensor is smaller as factors: it would be int16 under another name. */
export function requireProduct(tensors: readonly Pick<TensorLayout, "shape">[], codec: CodecConfig): void {
  if (codec.name !== "low-rank" || tensors.some(({ shape }) => isProduct(shape, codec.rank))) return;
  throw new ConfigError(
    `No tensor of the model is smaller as two factors of rank ${codec.rank}: that takes rank·(rows + columns) < rows·columns, and rank·columns up to 65 536. Lower the rank, or take int16.`,
    { codec: codec.name, rank: codec.rank },
  );
}

/** Bytes of the inflated content. */
export function lowRankLength({ tensors }: PayloadLayout, rank: number): number {
  return tensors.reduce((sum, { shape, size }) => {
    if (!isProduct(shape, rank)) return sum + blocksLength(size, DENSE);
    const { rows, columns } = matrixOf(shape);
    return sum + SHIFT_BYTES + VALUE_BYTES * rank * (rows + columns);
  }, 0);
}

/**
 * Grid integers as products of integer factors (docs/protocol.md, Artifact): per tensor of two or more axes the best factors of its matrix, rounded to
 * int16 on one scale 2^s, and other tensors as `int16` has them. Not every |q̂| ≤ |q|: what a bound allows has to be looked at afterwards.
 *
 * Source: Vogels, Karimireddy & Jaggi 2019 (PowerSGD), for what a member sends and not for what is reduced; s as fine as the factors allow.
 */
export function encodeLowRank(values: ArrayLike<number>, { tensors }: PayloadLayout, rank: number): Uint8Array {
  const out = new Uint8Array(lowRankLength({ tensors, size: values.length }, rank));
  let at = 0;
  for (const { name, shape, offset, size } of tensors) {
    const part = Float64Array.from({ length: size }, (_, i) => values[offset + i] as number);
    const bytes = isProduct(shape, rank) ? encodeProduct(name, part, matrixOf(shape), rank) : encodeBlocks(part, DENSE);
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

/** s, then V component by component, then U row by row: a reader that has V needs one row of U at a time. */
function encodeProduct(name: string, part: Float64Array, { rows, columns }: Matrix, rank: number): Uint8Array {
  const bytes = new Uint8Array(SHIFT_BYTES + VALUE_BYTES * rank * (rows + columns));
  const { left, s, right } = truncatedSvd(part, rows, columns, rank, keyedRandom("foedus.v1.low-rank", name));
  // √σ to either side: one error in the last place of a factor then weighs the same on both.
  const roots = s.map(Math.sqrt);
  const [largestU, largestV] = [left, right].map((side) =>
    side.reduce((most, column, k) => column.reduce((m, x) => Math.max(m, Math.abs(x) * (roots[k] as number)), most), 0),
  ) as [number, number];
  const product = largestU * largestV;
  if (!(product > 0)) return bytes;
  const scaleU = LEVELS / largestU;
  let shift = 0;
  while (shift < MAX_SHIFT && (powerOfTwo(shift + 1) / scaleU) * largestV <= LEVELS) shift++;
  const scaleV = powerOfTwo(shift) / scaleU;
  const view = new DataView(bytes.buffer);
  const level = (x: number): number => Math.max(-LEVELS, Math.min(LEVELS, Math.floor(x + 0.5)));
  let [anyU, anyV] = [0, 0];
  for (let k = 0; k < rank; k++) {
    const root = roots[k] as number;
    for (let j = 0; j < columns; j++) {
      const v = level(root * scaleV * ((right[k] as Float64Array)[j] as number));
      anyV |= v;
      view.setInt16(SHIFT_BYTES + VALUE_BYTES * (k * columns + j), v);
    }
    for (let i = 0; i < rows; i++) {
      const u = level(root * scaleU * ((left[k] as Float64Array)[i] as number));
      anyU |= u;
      view.setInt16(SHIFT_BYTES + VALUE_BYTES * (rank * columns + i * rank + k), u);
    }
  }
  // Nothing of the product is left: the form that says so.
  if (anyU === 0 || anyV === 0) return bytes.fill(0);
  view.setUint8(0, shift);
  return bytes;
}

/** Consecutive values. */
export interface DecodedPart {
  /** Coordinate of the first. */
  readonly first: number;
  /** Valid until the next part is taken. */
  readonly values: Int32Array<ArrayBuffer>;
  readonly offGrid?: OffGridValue | undefined;
}

/** V of a product, and its shift. */
interface Factor {
  readonly shift: number;
  /** Component by component. */
  readonly v: Int16Array;
  readonly anything: boolean;
}

/**
 * Values from an inflated content that comes in parts, of the sizes that the decoder asks for: memory is one factor and the values of one part, at
 * most 65 536 of each, whatever the model.
 *
 * q̂_ij = Σ_k u_ik·v_kj / 2^s, rounded once, half away from zero. The sum is exact: |Σ| ≤ 256·32 767² < 2^38.
 */
export class LowRankDecoder {
  readonly #tensors: readonly TensorLayout[];
  readonly #rank: number;
  readonly #memory: Int32Array<ArrayBuffer>;
  readonly #sums: Float64Array;
  #tensor = 0;
  /** Values of the tensor that are decoded. */
  #done = 0;
  /** Of a product under way. */
  #factor: Factor | undefined;
  #anyU = 0;

  constructor({ tensors }: PayloadLayout, rank: number) {
    this.#tensors = tensors;
    this.#rank = rank;
    const largest = tensors.reduce((most, { size }) => Math.max(most, size), 0);
    const products = tensors.filter(({ shape }) => isProduct(shape, rank));
    this.#memory = new Int32Array(Math.min(largest, MOST_HELD));
    this.#sums = new Float64Array(products.reduce((most, { shape }) => Math.max(most, matrixOf(shape).columns), 0));
  }

  /** Bytes of the next part; 0 after the last one. */
  get wants(): number {
    const tensor = this.#tensors[this.#tensor];
    if (tensor === undefined) return 0;
    if (!isProduct(tensor.shape, this.#rank)) return blocksLength(this.#denseCount(tensor), DENSE);
    const { columns } = matrixOf(tensor.shape);
    if (this.#factor === undefined) return SHIFT_BYTES + VALUE_BYTES * this.#rank * columns;
    return VALUE_BYTES * this.#rank * this.#rowCount(tensor);
  }

  /**
   * @param bytes `wants` of them.
   * @returns values, or nothing where the part was a factor.
   * @throws DecodeError when they are not canonical.
   */
  take(bytes: Uint8Array): DecodedPart | undefined {
    const tensor = this.#tensors[this.#tensor] as TensorLayout;
    if (!isProduct(tensor.shape, this.#rank)) {
      const values = this.#memory.subarray(0, this.#denseCount(tensor));
      const first = tensor.offset + this.#done;
      const { offGrid } = decodeBlocks(bytes, values.length, DENSE, first, values);
      this.#advance(tensor, values.length);
      return { first, values, offGrid };
    }
    if (this.#factor !== undefined) return this.#rows(tensor, bytes);
    const shift = bytes[0] as number;
    if (shift > MAX_SHIFT)
      throw new DecodeError(`The product ${tensor.name} has shift ${shift}; at most ${MAX_SHIFT} is used.`);
    const v = factorOf(bytes.subarray(SHIFT_BYTES), tensor.name);
    this.#factor = { shift, v, anything: v.some((value) => value !== 0) };
    this.#anyU = 0;
    return undefined;
  }

  #rows(tensor: TensorLayout, bytes: Uint8Array): DecodedPart {
    const { columns } = matrixOf(tensor.shape);
    const { shift, v, anything } = this.#factor as Factor;
    const u = factorOf(bytes, tensor.name);
    const first = tensor.offset + this.#done;
    const values = this.#memory.subarray(0, (u.length / this.#rank) * columns);
    const sums = this.#sums.subarray(0, columns);
    const [half, whole] = [powerOfTwo(shift), powerOfTwo(shift + 1)];
    let offGrid: OffGridValue | undefined;
    for (let row = 0; row * columns < values.length; row++) {
      sums.fill(0);
      for (let k = 0; k < this.#rank; k++) {
        const factor = u[row * this.#rank + k] as number;
        if (factor === 0) continue;
        this.#anyU |= factor;
        for (let j = 0; j < columns; j++) sums[j] = (sums[j] as number) + factor * (v[k * columns + j] as number);
      }
      for (let j = 0; j < columns; j++) {
        const sum = sums[j] as number;
        const magnitude = Math.floor((2 * Math.abs(sum) + half) / whole);
        const value = sum < 0 ? -magnitude : magnitude;
        const index = row * columns + j;
        const onGrid = magnitude < UPDATE_LIMIT;
        values[index] = onGrid ? value : 0;
        if (!onGrid) offGrid ??= { index: first + index, value };
      }
    }
    this.#advance(tensor, values.length);
    if (this.#factor === undefined && (!anything || this.#anyU === 0) && (anything || this.#anyU !== 0 || shift !== 0))
      throw new DecodeError(`The product ${tensor.name} is 0; then both factors are 0, and so is its shift.`);
    return { first, values, offGrid };
  }

  #advance({ size }: TensorLayout, count: number): void {
    this.#done += count;
    if (this.#done < size) return;
    this.#tensor++;
    this.#done = 0;
    this.#factor = undefined;
  }

  #denseCount({ size }: TensorLayout): number {
    return Math.min(size - this.#done, MOST_HELD);
  }

  #rowCount({ shape, size }: TensorLayout): number {
    const { columns } = matrixOf(shape);
    return Math.min((size - this.#done) / columns, Math.max(1, Math.floor(MOST_HELD / columns)));
  }
}

function factorOf(bytes: Uint8Array, name: string): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = new Int16Array(bytes.length / VALUE_BYTES);
  for (let i = 0; i < values.length; i++) {
    const value = view.getInt16(VALUE_BYTES * i);
    if (value < -LEVELS) throw new DecodeError(`A factor of ${name} has ${value}, which is not used.`);
    values[i] = value;
  }
  return values;
}
