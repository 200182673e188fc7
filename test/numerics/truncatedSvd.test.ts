// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { svd } from "../../src/numerics/svd.ts";
import { type TruncatedSvd, truncatedSvd } from "../../src/numerics/truncatedSvd.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

const gaussian = (rows: number, columns: number, name: string): Float64Array => {
  const random = keyedRandom("truncated svd", name);
  return Float64Array.from({ length: rows * columns }, () => random.normal());
};

function product(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, index) => {
    const [i, j] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += (a[i * inner + k] as number) * (b[k * columns + j] as number);
    return sum;
  });
}

function rebuilt({ left, s, right }: TruncatedSvd, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, index) => {
    const [i, j] = [Math.floor(index / columns), index % columns];
    return s.reduce(
      (sum, value, k) =>
        sum + value * ((left[k] as Float64Array)[i] as number) * ((right[k] as Float64Array)[j] as number),
      0,
    );
  });
}

const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0));

describe("truncatedSvd", () => {
  for (const [rows, columns] of [
    [40, 15],
    [15, 40],
    [3, 30],
    [30, 3],
  ] as const)
    it(`${rows} × ${columns} of rank 3: rebuilt up to rounding, from orthonormal vectors`, () => {
      const matrix = product(gaussian(rows, 3, "a"), gaussian(3, columns, "b"), rows, 3, columns);
      const result = truncatedSvd(matrix, rows, columns, 3, keyedRandom("start"));
      assert.ok(
        distance(rebuilt(result, rows, columns), matrix) < 1e-12 * distance(matrix, new Float64Array(matrix.length)),
      );
      for (const side of [result.left, result.right])
        for (const [k, x] of side.entries())
          for (const [l, y] of side.entries()) {
            const inner = x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
            assert.ok(Math.abs(inner - (k === l ? 1 : 0)) < 1e-12);
          }
    });

  it("of a matrix without any structure: an error within 2 % of the best there is, and the leading values", () => {
    const [rows, columns, rank] = [60, 40, 5];
    const matrix = gaussian(rows, columns, "full");
    const all = svd(matrix, rows, columns).s;
    const best = Math.sqrt(all.slice(rank).reduce((sum, value) => sum + value * value, 0));
    const result = truncatedSvd(matrix, rows, columns, rank, keyedRandom("start"));
    assert.ok(distance(rebuilt(result, rows, columns), matrix) < 1.02 * best);
    for (const [k, value] of result.s.entries())
      assert.ok(value <= (all[k] as number) * (1 + 1e-12) && value > 0.95 * (all[k] as number), `${k}: ${value}`);
  });

  it("a rank above the matrix's own, and a matrix of zeros: what is not there is 0", () => {
    const matrix = product(gaussian(20, 1, "a"), gaussian(1, 10, "b"), 20, 1, 10);
    const result = truncatedSvd(matrix, 20, 10, 4, keyedRandom("start"));
    assert.ok(distance(rebuilt(result, 20, 10), matrix) < 1e-12 * (result.s[0] as number));
    assert.ok(result.s.slice(1).every((value) => value < 1e-12 * (result.s[0] as number)));
    assert.deepEqual([...truncatedSvd(new Float64Array(12), 4, 3, 2, keyedRandom("start")).s], [0, 0]);
  });

  it("the same stream, the same result; refuses what is no rank of the matrix", () => {
    const matrix = gaussian(9, 7, "same");
    assert.deepEqual(truncatedSvd(matrix, 9, 7, 2, keyedRandom("s")), truncatedSvd(matrix, 9, 7, 2, keyedRandom("s")));
    for (const rank of [0, 8]) assert.throws(() => truncatedSvd(matrix, 9, 7, rank, keyedRandom("s")), RangeError);
    assert.throws(() => truncatedSvd(matrix, 9, 8, 2, keyedRandom("s")), RangeError);
  });
});
