// SPDX-License-Identifier: Apache-2.0
// The wide kernels once more, as their definitions read, in BigInt and without any of the tricks that make kernels fast.

export type Columns = readonly Int32Array[];

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
const columnOf = (updates: Columns, j: number): bigint[] => updates.map((values) => BigInt(values[j] as number));
const ascending = (values: readonly bigint[]): bigint[] => [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);
const eachCoordinate = (updates: Columns, f: (column: bigint[]) => bigint): number[] =>
  Array.from(updates[0] as Int32Array, (_, j) => Number(f(columnOf(updates, j))));

/** a/n, half away from zero. */
function rounded(a: bigint, n: bigint): bigint {
  const result = (2n * magnitude(a) + n) / (2n * n);
  return a < 0n ? -result : result;
}

const twiceMedian = (ordered: readonly bigint[]): bigint =>
  (ordered[(ordered.length - 1) >> 1] as bigint) + (ordered[ordered.length >> 1] as bigint);

export const weightedSum = (updates: Columns, weights: Uint32Array): number[] =>
  eachCoordinate(updates, (column) => sum(column.map((q, k) => BigInt(weights[k] as number) * q)));

export function dot(x: Int32Array, y: Int32Array): bigint {
  let total = 0n;
  for (const [j, q] of x.entries()) total += BigInt(q) * BigInt(y[j] as number);
  return total;
}

export const squaredDistance = (x: Int32Array, z: Int32Array): bigint => dot(x, x) - 2n * dot(x, z) + dot(z, z);

export const coordinateMedian = (updates: Columns): number[] =>
  eachCoordinate(updates, (column) => twiceMedian(ascending(column)) * 32_768n);

export const trimmedMean = (updates: Columns, trim: number): number[] =>
  eachCoordinate(updates, (column) => {
    const left = ascending(column).slice(trim, column.length - trim);
    return rounded(65_536n * sum(left), BigInt(left.length));
  });

export const meanAroundMedian = (updates: Columns, nearest: number): number[] =>
  eachCoordinate(updates, (column) => {
    const ordered = ascending(column);
    const middle = twiceMedian(ordered);
    // Ascending order makes the smaller of two equally far values come first, and sorting by distance keeps that.
    const closest = ordered
      .map((q) => ({ q, far: magnitude(2n * q - middle) }))
      .sort((a, b) => (a.far < b.far ? -1 : a.far > b.far ? 1 : 0))
      .slice(0, nearest);
    return rounded(65_536n * sum(closest.map(({ q }) => q)), BigInt(nearest));
  });
