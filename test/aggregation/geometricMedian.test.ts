// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { geometricMedianWeights } from "../../src/aggregation/geometricMedian.ts";
import { distancesTo, median, squaredDistances } from "../../src/aggregation/gramSpace.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { cloud } from "./fixtures.ts";

const distancesOf = async (rows: readonly ArrayLike<number>[]): Promise<Float64Array> => {
  const updates = rows.map((row) => Int32Array.from(row));
  return squaredDistances(await referenceKernels.gram(updates.map((values) => ({ kind: "dense", values }))));
};
const weightsOf = async (...rows: number[][]): Promise<Float64Array> => geometricMedianWeights(await distancesOf(rows));
const close = (actual: number | undefined, expected: number, tolerance: number): void =>
  assert.ok(Math.abs((actual as number) - expected) <= tolerance, `${actual} is not ${expected} within ${tolerance}`);
const pointAt = (rows: readonly ArrayLike<number>[], a: Float64Array): number[] =>
  Array.from(rows[0] as ArrayLike<number>, (_, j) =>
    rows.reduce((sum, row, i) => sum + (a[i] as number) * (row[j] as number), 0),
  );

describe("geometricMedianWeights", () => {
  it("the Fermat point of (0,0), (1,0), (0,1): weights (.577350, .211325, .211325)", async () => {
    const a = await weightsOf([0, 0], [1000, 0], [0, 1000]);
    close(a[0], 0.57735, 1e-6);
    close(a[1], 0.211325, 1e-6);
    close(a[2], 0.211325, 1e-6);
  });

  it("0, 1, 10 on a line: the middle point", async () => {
    close(pointAt([[0], [100], [1000]], await weightsOf([0], [100], [1000]))[0], 100, 0.01);
  });

  it("one or two points: their mean; equal points: equal weights", async () => {
    assert.deepEqual([...(await weightsOf([7]))], [1]);
    assert.deepEqual([...(await weightsOf([7], [-900]))], [0.5, 0.5]);
    assert.deepEqual([...(await weightsOf([7], [7], [7], [7]))], [0.25, 0.25, 0.25, 0.25]);
    assert.deepEqual([...(await weightsOf([0, 0], [0, 0], [0, 0], [0, 0]))], [0.25, 0.25, 0.25, 0.25]);
  });

  it("two identical points and one far away: the pair", async () => {
    const a = await weightsOf([5, 5], [5, 5], [16_000_000, -16_000_000]);
    close(a[0], 0.5, 1e-6);
    assert.equal(a[0], a[1]);
    assert.ok((a[2] as number) > 0 && (a[2] as number) < 1e-6);
  });

  it("agrees with Weiszfeld's steps on the vectors themselves, also with 2^22 grid units added to every coordinate", async () => {
    const random = keyedRandom("geometric-median");
    for (const offset of [0, 2 ** 22]) {
      const rows = [...cloud(random, 7, 12, offset, 300), ...cloud(random, 2, 12, offset + 5_000, 300)];
      const a = geometricMedianWeights(await distancesOf(rows));
      const direct = directGeometricMedian(rows.map((row) => Array.from(row, (q) => q - offset)));
      for (const [i, weight] of direct.entries()) close(a[i], weight, 1e-8);
    }
  });

  it("never increases the sum of distances against equal weights, and beats every single point", async () => {
    const random = keyedRandom("objective");
    const distances = await distancesOf(cloud(random, 9, 20, 0, 1_000));
    const objective = (a: Float64Array): number => distancesTo(distances, a).reduce((sum, r) => sum + r, 0);
    const reached = objective(geometricMedianWeights(distances));
    assert.ok(reached <= objective(new Float64Array(9).fill(1 / 9)));
    for (let i = 0; i < 9; i++)
      assert.ok(reached <= objective(Float64Array.from({ length: 9 }, (_, k) => Number(k === i))) + 1e-6);
  });
});

describe("squaredDistances", () => {
  it("resolves one grid unit between updates whose norms are near the grid's limit", async () => {
    const far = new Int32Array(50).fill(16_777_214);
    const near = Int32Array.from(far, (q, j) => (j === 7 ? q + 1 : q));
    assert.deepEqual([...(await distancesOf([far, near]))], [0, 1, 1, 0]);
  });

  it("of honest updates does not change in any bit when another one is spiked", async () => {
    const rows = cloud(keyedRandom("spike"), 6, 40, 0, 500);
    const spiked = rows.map((row, i) => (i < 5 ? row : Int32Array.from(row, (q, j) => (j === 3 ? 16_777_215 : q))));
    const [before, after] = [await distancesOf(rows), await distancesOf(spiked)];
    for (let i = 0; i < 5; i++) assert.deepEqual(after.slice(6 * i, 6 * i + 5), before.slice(6 * i, 6 * i + 5));
  });
});

describe("median", () => {
  it("of an odd number is the middle, of an even number the mean of the middle two", () => {
    assert.equal(median(Float64Array.of(10, 1, 2)), 2);
    assert.equal(median(Float64Array.of(10, 1, 3, 2)), 2.5);
    assert.equal(median(Float64Array.of(100, 9)), 54.5);
  });
});

/** Weiszfeld with z formed as a vector in every step: the obvious program. */
function directGeometricMedian(rows: readonly number[][]): number[] {
  let a = rows.map(() => 1 / rows.length);
  let smoothing: number | undefined;
  for (let step = 0; step < 200; step++) {
    const z = pointAt(rows, Float64Array.from(a));
    const radii = rows.map((row) => Math.sqrt(row.reduce((sum, x, j) => sum + (x - (z[j] as number)) ** 2, 0)));
    smoothing ??= 1e-6 * median(Float64Array.from(radii));
    const pulls = radii.map((r) => 1 / Math.max(smoothing as number, r));
    const total = pulls.reduce((sum, pull) => sum + pull, 0);
    const next = pulls.map((pull) => pull / total);
    const change = next.reduce((sum, weight, i) => sum + Math.abs(weight - (a[i] as number)), 0);
    a = next;
    if (change < 1e-9) break;
  }
  return a;
}
