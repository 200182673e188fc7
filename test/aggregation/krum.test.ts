// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exactDistances } from "../../src/aggregation/gramSpace.ts";
import { krumScores } from "../../src/aggregation/krum.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { cloud } from "./fixtures.ts";
import { line, outcome, tooFew } from "./run.ts";

const krum = (byzantine: number) => ({ rule: "krum", parameters: { byzantine } }) as const;
const multiKrum = (byzantine: number, selected?: number) =>
  ({ rule: "multi-krum", parameters: { byzantine, ...(selected === undefined ? {} : { selected }) } }) as const;
const scoresOf = async (rows: readonly number[][], neighbours: number): Promise<bigint[]> => {
  const gram = await referenceKernels.gram(rows.map((row) => ({ kind: "dense", values: Int32Array.from(row) })));
  return krumScores(exactDistances(gram), neighbours);
};

/** 0, .1, .2, 5, .15 in twentieths. */
const EXAMPLE = line(0, 2, 4, 100, 3);

describe("Krum", () => {
  it("the example of the specification: scores .0325, .0125, .0125, 46.5625, .005 in four hundredths, and the last wins", async () => {
    assert.deepEqual(await scoresOf(EXAMPLE, 2), [13n, 5n, 5n, 18_625n, 2n]);
    const { keptAt, weights, moved } = await outcome(krum(1), EXAMPLE);
    assert.deepEqual(keptAt, [4]);
    assert.deepEqual([...weights], [0, 0, 0, 0, 65_536]);
    assert.deepEqual(moved, [3]);
  });

  it("squares distances once; squared twice, as elsewhere, another would win", async () => {
    const rows = line(0, 1, 5, 8, 11);
    assert.deepEqual(await scoresOf(rows, 2), [26n, 17n, 25n, 18n, 45n]);
    // Fourth powers: 626, 257, 337, 162, 1377.
    assert.deepEqual((await outcome(krum(1), rows)).keptAt, [1]);
  });

  it("sums K − f − 2 squared distances to others; with one more, as elsewhere, another would win", async () => {
    const rows = line(0, 1, 2, 4, 8);
    assert.deepEqual(await scoresOf(rows, 2), [5n, 2n, 5n, 13n, 52n]);
    assert.deepEqual(await scoresOf(rows, 3), [21n, 11n, 9n, 29n, 101n]);
    assert.deepEqual((await outcome(krum(1), rows)).keptAt, [1]);
  });

  it("of equal scores the lowest id wins", async () => {
    assert.deepEqual((await outcome(krum(0), line(0, 10, 20, 30))).keptAt, [1]);
    assert.deepEqual((await outcome(krum(1), line(7, 7, 7, 7, 7))).keptAt, [0]);
  });

  it("scores are exact: one grid unit decides at the limit of the grid", async () => {
    const top = 16_777_214;
    const rows = [
      [top, -top, 0],
      [top, -top, 2],
      [top, -top, 5],
      [-top, top, 0],
      [-top, top, 3],
    ];
    // Nearest two others of each: 4 + 25, 4 + 9, 25 + 9; those far away are not among them.
    assert.deepEqual((await scoresOf(rows, 2)).slice(0, 3), [29n, 13n, 34n]);
    assert.deepEqual((await outcome(krum(1), rows)).keptAt, [1]);
  });

  it("needs K ≥ 2f + 3, so f ≥ K/2 is refused and never lowered", async () => {
    for (const [f, count] of [
      [0, 2],
      [1, 4],
      [2, 6],
      [3, 6],
      [6, 6],
    ] as const)
      await assert.rejects(
        outcome(krum(f), line(...Array.from({ length: count }, (_, i) => i))),
        tooFew(2 * f + 3, count),
      );
  });

  it("survives f updates anywhere, together or apart", async () => {
    const honest = cloud(keyedRandom("krum"), 5, 40, 30, 100);
    const far = new Int32Array(40).fill(16_777_215);
    const negated = Int32Array.from(honest[0] as Int32Array, (q) => -10 * q);
    for (const attackers of [
      [far, far],
      [far, negated],
    ])
      assert.ok(((await outcome(krum(2), [...honest, ...attackers])).keptAt[0] as number) < 5);
  });

  it("does not survive K − f − 1 identical sybils, more than f: they are each other's nearest", async () => {
    const honest = cloud(keyedRandom("sybils"), 3, 20, 0, 100);
    const sybils = new Array<Int32Array>(4).fill(new Int32Array(20).fill(9_000_000));
    assert.deepEqual((await outcome(krum(2), [...honest, ...sybils])).keptAt, [3]);
    // One fewer, and a neighbour far away counts in every sybil's score.
    const one = await outcome(krum(2), [...cloud(keyedRandom("sybils"), 4, 20, 0, 100), ...sybils.slice(1)]);
    assert.ok((one.keptAt[0] as number) < 4);
  });

  it("does not survive one coordinate moved by less than honest updates differ in all the others, where Bulyan does", async () => {
    const [K, d, sigma] = [11, 1_000, 100];
    const honest = cloud(keyedRandom("hidden"), K - 2, d, 0, sigma);
    const mean = Int32Array.from({ length: d }, (_, j) =>
      Math.trunc(honest.reduce((sum, row) => sum + (row[j] as number), 0) / honest.length),
    );
    // √d · σ ≈ 3 162: two honest updates are √2 times as far from each other.
    const hidden = Int32Array.from(mean, (q, j) => (j === 0 ? 2_500 : q));
    const rows = [...honest, hidden, hidden];
    assert.ok(((await outcome(krum(2), rows)).moved[0] as number) === 2_500);
    const bulyan = await outcome({ rule: "bulyan", parameters: { byzantine: 2 } }, rows);
    assert.ok(Math.abs(bulyan.moved[0] as number) < 3 * sigma);
  });
});

describe("Multi-Krum", () => {
  it("the example of the specification: the best four average to .1125, the best three to .15", async () => {
    // In twentieths 2.25 and 3.
    const [four, three] = [await outcome(multiKrum(1, 4), EXAMPLE), await outcome(multiKrum(1, 3), EXAMPLE)];
    assert.deepEqual([four.keptAt, four.moved], [[0, 1, 2, 4], [2.25]]);
    assert.deepEqual(three.keptAt, [1, 2, 4]);
    assert.deepEqual([...three.weights], [0, 21_846, 21_845, 0, 21_845]);
    assert.ok(Math.abs((three.moved[0] as number) - 3) <= 2 / 65_536);
  });

  it("averages K − f when nothing else is said", async () => {
    assert.deepEqual(await outcome(multiKrum(1), EXAMPLE), await outcome(multiKrum(1, 4), EXAMPLE));
  });

  it("with one selected is Krum; with f = 0 the mean", async () => {
    assert.deepEqual(
      await outcome(multiKrum(1, 1), EXAMPLE),
      await outcome({ rule: "krum", parameters: { byzantine: 1 } }, EXAMPLE),
    );
    assert.deepEqual((await outcome(multiKrum(0), line(0, 2, 4, 102))).moved, [27]);
  });

  it("needs K ≥ m + f as well: it cannot select more than all but f", async () => {
    await assert.rejects(outcome(multiKrum(1, 5), EXAMPLE), tooFew(6, 5));
  });

  it("survives f far away; and not f + 1 with m = K − f, one of which is averaged in", async () => {
    const honest = cloud(keyedRandom("multi-krum"), 7, 10, 0, 100);
    const far = [1, 2, 3].map((i) => new Int32Array(10).fill(4_000_000 * i));
    assert.deepEqual((await outcome(multiKrum(2), [...honest, ...far.slice(1)])).keptAt, [0, 1, 2, 3, 4, 5, 6]);
    const lost = await outcome(multiKrum(2), [...honest, ...far]);
    assert.equal(lost.keptAt.length, 8);
    assert.ok(Math.abs(lost.moved[0] as number) > 100_000);
  });
});
