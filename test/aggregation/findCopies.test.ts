// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCopies } from "../../src/aggregation/findCopies.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { cloud } from "./fixtures.ts";
import { line, outcome, tooFew } from "./run.ts";

const copiesAmong = async (rows: readonly ArrayLike<number>[]): Promise<(number | undefined)[]> =>
  findCopies(await referenceKernels.gram(rows.map((row) => ({ kind: "dense", values: Int32Array.from(row) }))));
const honest = cloud(keyedRandom("copies"), 5, 400, 0, 100_000);

describe("findCopies", () => {
  it("nobody among honest updates, however alike their directions", async () => {
    assert.deepEqual(await copiesAmong(honest), new Array(5).fill(undefined));
    const alike = honest.map((row) => row.map((q) => 3_000_000 + q));
    assert.deepEqual(await copiesAmong(alike), new Array(5).fill(undefined));
  });

  it("an exact copy, one with a little noise, and the copy of a copy are the original's", async () => {
    const noisy = (honest[1] as Int32Array).map((q, j) => q + (j % 3) - 1);
    const again = noisy.map((q, j) => q + ((j + 1) % 3) - 1);
    assert.deepEqual(await copiesAmong([...honest, honest[3] as Int32Array, noisy, again]), [
      ...new Array(5).fill(undefined),
      3,
      1,
      1,
    ]);
  });

  it("the bound is 10^-4 of the length, not reached", async () => {
    assert.deepEqual(await copiesAmong(line(10_000, 10_001)), [undefined, 0]);
    assert.deepEqual(await copiesAmong(line(10_001, 10_000)), [undefined, undefined]);
    assert.deepEqual(await copiesAmong(line(9_999, 10_000)), [undefined, undefined]);
  });

  it("a multiple or a negation is no copy, and zeros copy nobody", async () =>
    assert.deepEqual(
      await copiesAmong([
        [5, 5],
        [10, 10],
        [-5, -5],
        [0, 0],
        [0, 0],
      ]),
      new Array(5).fill(undefined),
    ));
});

describe("without copies", () => {
  const krum = { rule: "krum", parameters: { byzantine: 1 } } as const;
  it("Krum is not taken over by updates that agree", async () => {
    const rows = line(100, 101, 103, 106, 107, 900, 900, 900, 900, 900, 900);
    assert.deepEqual((await outcome(krum, rows)).keptAt, [5]);
    assert.deepEqual((await outcome({ ...krum, before: [{ step: "without-copies" }] }, rows)).keptAt, [2]);
  });

  it("copies are not kept, and originals weigh as if they were alone", async () => {
    const { weights, keptAt } = await outcome(
      { rule: "weighted-mean", before: [{ step: "without-copies" }] },
      line(7, 7, 100),
      [1, 50, 3],
    );
    assert.deepEqual(keptAt, [0, 2]);
    assert.deepEqual([...weights], [16_384, 0, 49_152]);
  });

  it("works before a rule by coordinates too, and refuses when it leaves too few", async () => {
    const median: AggregationConfig = { rule: "coordinate-median", before: [{ step: "without-copies" }] };
    assert.deepEqual((await outcome(median, line(1, 50, 50, 50, 3))).moved, [3]);
    await assert.rejects(outcome(median, line(1, 50, 50, 50)), tooFew(3, 2));
  });
});
