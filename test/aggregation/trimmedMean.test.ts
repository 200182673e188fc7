// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { line, outcome, tooFew } from "./run.ts";

const trimmed = (trim: number) => ({ rule: "trimmed-mean", parameters: { trim } }) as const;

describe("trimmed mean", () => {
  it("by hand: −5, 1, 2, 3, 100 without one at each end is 2", async () => {
    const { moved, keptAt, weights } = await outcome(trimmed(1), line(-5, 1, 2, 3, 100));
    assert.deepEqual(moved, [2]);
    assert.deepEqual(keptAt, [0, 1, 2, 3, 4]);
    assert.deepEqual([...weights], [13_108, 13_107, 13_107, 13_107, 13_107]);
  });

  it("trims each coordinate for itself", async () => {
    const rows = [
      [9, 0],
      [1, 1],
      [2, 2],
      [3, 3],
      [0, 9],
    ];
    assert.deepEqual((await outcome(trimmed(1), rows)).moved, [2, 2]);
  });

  it("with nothing trimmed is the unweighted mean, whatever n_i members state", async () => {
    assert.deepEqual((await outcome(trimmed(0), line(1, 2, 6), [1, 1, 1_000])).moved, [3]);
  });

  it("is rounded once, half away from zero, to the master grid: (0 + 1 + 1)/3 and its negative", async () => {
    // 65 536 · 2/3 = 43 690.67.
    assert.deepEqual([...(await outcome(trimmed(0), line(0, 1, 1))).master], [43_691]);
    assert.deepEqual([...(await outcome(trimmed(0), line(0, -1, -1))).master], [-43_691]);
  });

  it("takes one or two updates with nothing trimmed, and is the median where all but one or two are", async () => {
    assert.deepEqual((await outcome(trimmed(0), line(7))).moved, [7]);
    assert.deepEqual((await outcome(trimmed(0), line(7, 8))).moved, [7.5]);
    assert.deepEqual((await outcome(trimmed(2), line(5, 1, 9, 2, 8))).moved, [5]);
    assert.deepEqual((await outcome(trimmed(1), line(5, 1, 9, 2))).moved, [3.5]);
  });

  it("refuses to trim all: K = 2b", async () => {
    await assert.rejects(outcome(trimmed(2), line(1, 2, 3, 4)), tooFew(5, 4));
  });

  it("stays among the honest against b that agree on the far end, and does not against b + 1", async () => {
    const honest = [1, 2, 3, 4, 5];
    const [borne, lost] = [
      await outcome(trimmed(2), line(...honest, 16_000_000, 16_000_000)),
      await outcome(trimmed(2), line(...honest, 16_000_000, 16_000_000, 16_000_000)),
    ];
    assert.deepEqual(borne.moved, [4]);
    assert.ok((lost.moved[0] as number) > 1_000_000);
  });
});
