// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../protocol/random.ts";
import { svd } from "./svd.ts";

/** A ≈ left · diag(s) · rightᵀ; columns one after another, each orthonormal to the others where its singular value is above 0. */
export interface TruncatedSvd {
  /** `rank` columns of `rows` values. */
  readonly left: readonly Float64Array[];
  /** Descending, ≥ 0. */
  readonly s: Float64Array;
  /** `rank` columns of `columns` values. */
  readonly right: readonly Float64Array[];
}

/** Directions beyond the rank that are followed as well: they make the leading ones converge. */
const OVERSAMPLING = 8;
const ITERATIONS = 4;
/** A column that loses all but this of its length to those before it points nowhere of its own. */
const NEGLIGIBLE = 1e-12;

/**
 * The leading singular values and vectors of a matrix of any size, by randomised subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4,
 * then 5.1): exact up to rounding for matrices of at most that rank, and within a few per cent of the best error for others.
 *
 * @param matrix rows × columns, row-major, finite.
 * @param rank at most both extents.
 * @param random of the first directions: the same stream gives the same result.
 * @throws RangeError for other sizes.
 */
export function truncatedSvd(
  matrix: Float64Array,
  rows: number,
  columns: number,
  rank: number,
  random: Random,
): TruncatedSvd {
  if (matrix.length !== rows * columns || rank < 1 || rank > Math.min(rows, columns))
    throw new RangeError(`No rank ${rank} of ${matrix.length} values for ${rows} × ${columns}.`);
  const width = Math.min(rank + OVERSAMPLING, rows, columns);
  const start = Array.from({ length: width }, () => Float64Array.from({ length: columns }, () => random.normal()));
  let basis = orthonormal(start.map((x) => times(matrix, rows, columns, x)));
  for (let k = 0; k < ITERATIONS; k++) {
    const back = orthonormal(basis.map((x) => transposeTimes(matrix, rows, columns, x)));
    basis = orthonormal(back.map((x) => times(matrix, rows, columns, x)));
  }
  // Bᵀ = AᵀQ is tall; A ≈ Q·B.
  const projected = basis.map((x) => transposeTimes(matrix, rows, columns, x));
  const tall = new Float64Array(columns * width);
  for (const [k, column] of projected.entries())
    for (let j = 0; j < columns; j++) tall[j * width + k] = column[j] as number;
  const { u, s, v } = svd(tall, columns, width);
  const left = Array.from({ length: rank }, (_, k) => {
    const column = new Float64Array(rows);
    for (const [l, direction] of basis.entries()) add(column, direction, v[l * width + k] as number);
    return column;
  });
  const right = Array.from({ length: rank }, (_, k) =>
    Float64Array.from({ length: columns }, (_, j) => u[j * width + k] as number),
  );
  return { left, s: s.slice(0, rank), right };
}

/** A·x. */
function times(matrix: Float64Array, rows: number, columns: number, x: Float64Array): Float64Array {
  const y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += (matrix[i * columns + j] as number) * (x[j] as number);
    y[i] = sum;
  }
  return y;
}

/** Aᵀ·x. */
function transposeTimes(matrix: Float64Array, rows: number, columns: number, x: Float64Array): Float64Array {
  const y = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    const share = x[i] as number;
    if (share === 0) continue;
    for (let j = 0; j < columns; j++) y[j] = (y[j] as number) + share * (matrix[i * columns + j] as number);
  }
  return y;
}

/** Gram–Schmidt, each column twice against those before it; in place. A column without a direction of its own becomes 0. */
function orthonormal(columns: Float64Array[]): Float64Array[] {
  for (const [k, column] of columns.entries()) {
    const before = length(column);
    for (let pass = 0; pass < 2; pass++)
      for (let l = 0; l < k; l++) add(column, columns[l] as Float64Array, -dot(column, columns[l] as Float64Array));
    const after = length(column);
    const scale = after > NEGLIGIBLE * before ? 1 / after : 0;
    for (let i = 0; i < column.length; i++) column[i] = (column[i] as number) * scale;
  }
  return columns;
}

function add(target: Float64Array, x: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) + factor * (x[i] as number);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function length(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
