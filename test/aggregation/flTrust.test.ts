// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { cloud, rootOf } from "./fixtures.ts";
import { assertWeights, outcome } from "./run.ts";

const TRUST = { rule: "fltrust" } as const;
const run = (root: ArrayLike<number>, rows: readonly ArrayLike<number>[]) =>
  outcome(TRUST, rows, undefined, undefined, { facts: { root: rootOf(root) } });
const length = (x: ArrayLike<number>): number =>
  Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));

describe("FLTrust", () => {
  it("the example of the specification, in thousandths: trust (1, 0, 0, .7071) moves by (.878680, .292893)", async () => {
    const { weights, keptAt, moved } = await run(
      [1000, 0],
      [
        [2000, 0],
        [0, 3000],
        [-1000, 0],
        [1000, 1000],
      ],
    );
    assert.deepEqual(keptAt, [0, 3]);
    // TS·‖Δ0‖/‖Δ‖ = (½, ½) of 1.7071.
    assertWeights(weights, [0.2928932, 0, 0, 0.2928932]);
    assert.ok(Math.abs((moved[0] as number) - 878.68) < 0.05 && Math.abs((moved[1] as number) - 292.893) < 0.05);
  });

  it("does not lengthen: half the root's update is taken as it is", async () => {
    assert.deepEqual((await run([100, 0], [[50, 0]])).moved, [50, 0]);
  });

  it("a tiny update in the root's direction takes its share of trust and no more: the others are not stalled", async () => {
    const { moved } = await run(
      [1000, 0],
      [
        [1000, 0],
        [1, 0],
      ],
    );
    assert.deepEqual(moved, [500.5, 0]);
  });

  it("counts tensors in the units of the finest grid, in the root as in the updates", async () => {
    const layout = modelLayout([
      { name: "a", shape: [1], fractionBits: 18, group: 0 },
      { name: "b", shape: [1], fractionBits: 16, group: 1 },
    ]);
    // In units 2^-18: root (400, 0); updates (300, 400) with cosine .6 and (400, 0).
    const rows = [
      [300, 100],
      [400, 0],
    ];
    const { weights } = await outcome(TRUST, rows, undefined, undefined, { layout, facts: { root: rootOf([400, 0]) } });
    const first = (0.6 / 1.6) * (400 / 500);
    assertWeights(weights, [first, first, 1 / 1.6, 1 / 1.6]);
  });

  it("has no result for a root of zeros, for zeros, or against all updates", async () => {
    await assert.rejects(run([0, 0], [[1, 0]]), { code: "NOTHING_KEPT" });
    await assert.rejects(run([1, 0], [[0, 0]]), { code: "NOTHING_KEPT" });
    await assert.rejects(run([1, 0], [[-5, 0]]), { code: "NOTHING_KEPT" });
  });

  it("refuses without a root, and with one of another length", async () => {
    await assert.rejects(outcome(TRUST, [[1, 0]]), { code: "MISSING_FACT", values: { rule: "fltrust", fact: "root" } });
    await assert.rejects(run([1], [[1, 0]]), { code: "BAD_INPUT" });
  });

  it("moves no farther than the root, whatever is sent: 1 in 2^16 of the longest for rounding", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(1, 50, 10_000),
        async (seed, count, far) => {
          const random = keyedRandom("fltrust", seed);
          const root = cloud(random, 1, 6, 100, 50)[0] as Int32Array;
          const rows = cloud(random, count, 6, 100, 60 * far);
          const longest = Math.max(...rows.map(length));
          const limit = length(root) + (count * longest) / 65_536;
          const { moved } = await run(root, rows).catch((error) => {
            assert.equal(error.code, "NOTHING_KEPT");
            return { moved: [0] };
          });
          assert.ok(length(moved) <= limit, `${length(moved)} is beyond ${limit}`);
        },
      ),
      { seed: 91, numRuns: 60 },
    );
  });

  it("leaves out a huge update that would pull less than half a unit", async () => {
    const { keptAt, moved } = await run(
      [10, 0],
      [
        [10, 0],
        [16_000_000, 0],
      ],
    );
    assert.deepEqual(keptAt, [0]);
    assert.deepEqual(moved, [5, 0]);
  });

  it("survives a majority that negates and magnifies, and a root from another distribution does not", async () => {
    const honest = cloud(keyedRandom("trusted"), 4, 200, 60, 50);
    const root = honest[0] as Int32Array;
    const attackers = Array.from({ length: 6 }, (_, i) => (honest[i % 3] as Int32Array).map((q) => -4 * q));
    const rows = [...honest.slice(1), ...attackers];
    assert.deepEqual((await run(root, rows)).keptAt, [0, 1, 2]);
    const elsewhere = root.map((q) => -q);
    assert.deepEqual((await run(elsewhere, rows)).keptAt, [3, 4, 5, 6, 7, 8]);
  });
});
