// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clippedWeights } from "../../src/aggregation/centredClipping.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { cloud } from "./fixtures.ts";
import { line, outcome } from "./run.ts";

/** τ in steps of the tests' grid, 2^-18. */
const clipping = (steps: number, iterations = 1) =>
  ({ rule: "centred-clipping", parameters: { radius: steps / 262_144, iterations } }) as const;
const gramOf = (rows: readonly ArrayLike<number>[]) =>
  referenceKernels.gram(rows.map((row) => ({ kind: "dense", values: Int32Array.from(row) })));
const close = (actual: number | undefined, expected: number, tolerance: number): void =>
  assert.ok(Math.abs((actual as number) - expected) <= tolerance, `${actual} is not ${expected} within ${tolerance}`);
/** Each weight is off by less than a unit of 2^-16. */
const rounding = (rows: readonly ArrayLike<number>[]): number =>
  rows.reduce((sum, row) => sum + Math.hypot(...Array.from(row)), 0) / 65_536;

describe("centred clipping", () => {
  it("by hand: 2, −3 and 100 with τ = 4 move to (2 − 3 + 4)/3 = 1, then to 1 + (1 − 4 + 4)/3 = 4/3", async () => {
    const rows = line(2, -3, 100);
    const [once, twice] = [await outcome(clipping(4), rows), await outcome(clipping(4, 2), rows)];
    // 1/3, 1/3, .04/3 and unspent .32 of 65 536: 21 845.33 twice, 873.81, 20 971.52.
    assert.deepEqual([...once.weights], [21_845, 21_845, 874]);
    close(once.moved[0], 1, rounding(rows));
    close(twice.moved[0], 4 / 3, rounding(rows));
  });

  it("one update alone: 10 with τ = 4 is reached in three iterations, by 4, 8 and 10", async () => {
    const weights = await Promise.all(
      [1, 2, 3].map(async (n) => [...(await outcome(clipping(4, n), line(10))).weights]),
    );
    assert.deepEqual(weights, [[26_214], [52_429], [65_536]]);
  });

  it("shortens a vector and keeps its direction", async () => {
    const { moved } = await outcome(clipping(2_500), [[3_000, 4_000]]);
    close(moved[0], 1_500, 0.1);
    close(moved[1], 2_000, 0.1);
  });

  it("is the mean where nothing is clipped, and what all agree on within τ", async () => {
    assert.deepEqual((await outcome(clipping(1_000), line(1, 2, 6, 7))).moved, [4]);
    assert.deepEqual(
      (
        await outcome(clipping(1_000, 3), [
          [7, -7],
          [7, -7],
          [7, -7],
        ])
      ).moved,
      [7, -7],
    );
  });

  it("takes radii in the units of parameters: 0.5 is 2^17 steps of 2^-18", async () => {
    const config = { rule: "centred-clipping", parameters: { radius: 0.5, iterations: 1 } } as const;
    assert.deepEqual((await outcome(config, line(262_144))).moved, [131_072]);
  });

  it("agrees with the iteration on the vectors themselves", async () => {
    const rows = [
      ...cloud(keyedRandom("clipping"), 9, 12, 40, 300),
      ...cloud(keyedRandom("clipping far"), 2, 12, 9_000, 10),
    ];
    for (const [radius, iterations] of [
      [500, 1],
      [900, 5],
      [100_000, 3],
    ] as const) {
      const weights = clippedWeights(await gramOf(rows), radius, iterations);
      const direct = directly(rows, radius, iterations);
      for (const [j, expected] of direct.entries())
        close(
          rows.reduce((sum, row, i) => sum + (weights[i] as number) * (row[j] as number), 0),
          expected,
          1e-8,
        );
    }
  });

  it("is not moved along by a translation of all updates, as it starts from the head", async () => {
    const [here, there] = [await outcome(clipping(4), line(2, -3, 1)), await outcome(clipping(4), line(102, 97, 101))];
    close(here.moved[0], 0, 6 / 65_536);
    assert.ok((there.moved[0] as number) < 10);
  });

  it("survives one attacker of any magnitude: it moves the result by τ/K an iteration, or not at all", async () => {
    const honest = cloud(keyedRandom("clipping attack"), 9, 20, 0, 100);
    const without = await outcome(clipping(600, 3), [...honest, new Int32Array(20)]);
    for (const magnitude of [1_000, 100_000, 16_777_215]) {
      const rows = [...honest, new Int32Array(20).fill(magnitude)];
      const { moved } = await outcome(clipping(600, 3), rows);
      const shift = Math.hypot(...moved.map((q, j) => q - (without.moved[j] as number)));
      // 3 · 600/10, as far again for the honest ones that are clipped elsewhere then, and a unit of weight.
      assert.ok(shift <= 2 * 180 + rounding(rows), `${shift}`);
    }
  });

  it("does not keep what is clipped to less than half a unit of weight: a whole one would be more than τ/K", async () => {
    // 4/K of 16 777 215 is .06 · 2^-18 of the weight.
    const { keptAt, weights, reputations, moved } = await outcome(clipping(4), line(1, 2, 3, 16_777_215));
    assert.deepEqual(keptAt, [0, 1, 2]);
    assert.deepEqual([...weights], [16_384, 16_384, 16_384, 0]);
    assert.ok((reputations[3] as number) < 65_536);
    assert.deepEqual(moved, [1.5]);
  });

  it("refuses a radius that keeps nothing", async () => {
    await assert.rejects(outcome(clipping(1), line(16_777_215, -16_777_215)), { code: "NOTHING_KEPT" });
  });

  it("does not survive a majority that agrees, nor as many small steps as iterations allow", async () => {
    const rows = line(0, 1, 2, 1_000, 1_000, 1_000, 1_000);
    assert.ok(((await outcome(clipping(100, 100), rows)).moved[0] as number) > 900);
  });
});

function directly(rows: readonly Int32Array[], radius: number, iterations: number): number[] {
  let v = Array.from(rows[0] as Int32Array, () => 0);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const pulls = rows.map((row) => {
      const difference = Array.from(row, (q, j) => q - (v[j] as number));
      const factor = Math.min(1, radius / Math.hypot(...difference));
      return difference.map((x) => factor * x);
    });
    v = v.map((x, j) => x + pulls.reduce((sum, pull) => sum + (pull[j] as number), 0) / rows.length);
  }
  return v;
}
