// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { assign, assignmentCost } from "../../src/numerics/assignment.ts";
import { cayley } from "../../src/numerics/cayley.ts";
import { procrustes, svd } from "../../src/numerics/svd.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

const gaussian = (label: string, size: number): Float64Array => {
  const random = keyedRandom("linear-algebra", label);
  return Float64Array.from({ length: size }, () => random.normal());
};
/** Largest |QᵀQ − I|. */
const skewness = (q: Float64Array, rows: number, columns: number): number => {
  let worst = 0;
  for (let a = 0; a < columns; a++)
    for (let b = 0; b < columns; b++) {
      let sum = a === b ? -1 : 0;
      for (let i = 0; i < rows; i++) sum += (q[i * columns + a] as number) * (q[i * columns + b] as number);
      worst = Math.max(worst, Math.abs(sum));
    }
  return worst;
};

describe("assignment", () => {
  it("finds the minimum and, of negated costs, the maximum of the specification", () => {
    const cost = Float64Array.of(4, 1, 3, 2, 0, 5, 3, 2, 2);
    assert.deepEqual([...assign(cost, 3)], [1, 0, 2]);
    const negated = cost.map((value) => -value);
    const best = assign(negated, 3);
    assert.deepEqual([...best], [0, 2, 1]);
    assert.equal(-assignmentCost(negated, 3, best), 11);
  });

  it("is as cheap as the best of all permutations", () => {
    const orders = (n: number): number[][] =>
      n === 0
        ? [[]]
        : orders(n - 1).flatMap((order) => Array.from({ length: n }, (_, at) => order.toSpliced(at, 0, n - 1)));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 25, maxLength: 25 }),
        (n, values) => {
          const cost = Float64Array.from(values.slice(0, n * n));
          const columnOf = assign(cost, n);
          assert.deepEqual(
            [...columnOf].sort(),
            Array.from({ length: n }, (_, i) => i),
          );
          const best = Math.min(...orders(n).map((order) => assignmentCost(cost, n, Int32Array.from(order))));
          assert.equal(assignmentCost(cost, n, columnOf), best);
          const identity = Int32Array.from({ length: n }, (_, i) => i);
          if (assignmentCost(cost, n, identity) === best) assert.deepEqual(columnOf, identity);
        },
      ),
    );
  });

  it("finds a hidden permutation of 200 rows", () => {
    const n = 200;
    const hidden = keyedRandom("assignment").permutation(n);
    const cost = gaussian("noise", n * n).map((value) => Math.abs(value) + 1);
    for (const [row, column] of hidden.entries()) cost[row * n + column] = 0;
    assert.deepEqual([...assign(cost, n)], hidden);
  });

  it("handles no rows, and refuses wrong sizes and costs that are no numbers", () => {
    assert.equal(assign(new Float64Array(0), 0).length, 0);
    assert.throws(() => assign(new Float64Array(3), 2), /needs 4 costs/);
    assert.throws(() => assign(Float64Array.of(0, NaN, 0, 0), 2), /finite/);
  });
});

describe("singular values", () => {
  it("decomposes tall matrices", () => {
    for (const [rows, columns] of [
      [7, 4],
      [5, 5],
      [40, 30],
      [3, 1],
    ] as const) {
      const matrix = gaussian(`${rows}x${columns}`, rows * columns);
      const { u, s, v } = svd(matrix, rows, columns);
      assert.ok(skewness(u, rows, columns) < 1e-12);
      assert.ok(skewness(v, columns, columns) < 1e-12);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let sum = 0;
          for (let k = 0; k < columns; k++)
            sum += (u[i * columns + k] as number) * (s[k] as number) * (v[j * columns + k] as number);
          assert.ok(Math.abs(sum - (matrix[i * columns + j] as number)) < 1e-12);
        }
      assert.deepEqual(s, s.toSorted().reverse());
    }
  });

  it("gives known values: diag(3, −2) has 3 and 2", () => {
    assert.deepEqual([...svd(Float64Array.of(-2, 0, 0, 3), 2, 2).s], [3, 2]);
  });

  it("completes U where the matrix has no rank", () => {
    const { u, s } = svd(Float64Array.of(1, 2, 2, 4, 3, 6), 3, 2);
    assert.ok((s[1] as number) < 1e-14);
    assert.ok(skewness(u, 3, 2) < 1e-12);
    const zero = svd(new Float64Array(9), 3, 3);
    assert.deepEqual([...zero.s], [0, 0, 0]);
    assert.ok(skewness(zero.u, 3, 3) < 1e-12);
  });

  it("refuses wide matrices and values that are not finite", () => {
    assert.throws(() => svd(new Float64Array(6), 2, 3), /tall/);
    assert.throws(() => svd(Float64Array.of(Infinity), 1, 1), /finite/);
  });
});

describe("orthogonal Procrustes", () => {
  it("recovers a rotation from a stretched one: Q S with S positive definite", () => {
    const n = 12;
    const skew = gaussian("rotation", n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) skew[i * n + j] = i === j ? 0 : -(skew[j * n + i] as number);
    const rotation = cayley(skew, n);
    const stretched = rotation.map((value, at) => value * (1 + (at % n)));
    const found = procrustes(stretched, n);
    assert.ok(skewness(found, n, n) < 1e-10);
    for (let i = 0; i < n * n; i++) assert.ok(Math.abs((found[i] as number) - (rotation[i] as number)) < 1e-10);
  });
});

describe("Cayley", () => {
  it("is the rotation by .1 for A₁₂ = −2 tan .05", () => {
    const a = 2 * Math.tan(0.05);
    const q = cayley(Float64Array.of(0, -a, a, 0), 2);
    assert.ok(Math.abs((q[0] as number) - 0.9950041653) < 1e-10);
    assert.ok(Math.abs((q[2] as number) - 0.0998334166) < 1e-10);
  });

  it("is orthogonal to 1e-12, and the identity for 0", () => {
    const n = 20;
    const skew = gaussian("skew", n * n).map((value) => 3 * value);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) skew[i * n + j] = i === j ? 0 : -(skew[j * n + i] as number);
    assert.ok(skewness(cayley(skew, n), n, n) < 1e-12);
    assert.deepEqual([...cayley(new Float64Array(4), 2)], [1, 0, 0, 1]);
  });

  it("refuses what is not skew-symmetric", () => {
    assert.throws(() => cayley(Float64Array.of(0, 1, 1, 0), 2), /skew-symmetric/);
    assert.throws(() => cayley(new Float64Array(3), 2), /no 2 × 2 matrix/);
  });
});
