// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type StalenessParameters, stalenessWeight } from "../../src/aggregation/staleness.ts";
import { assertWeights, line, outcome } from "./run.ts";

const POLYNOMIAL: StalenessParameters = { decay: "polynomial", exponent: 0.5, limit: 20 };
const HINGE: StalenessParameters = { decay: "hinge", after: 4, slope: 10, limit: 20 };
const close = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 5e-5, `${actual}`);

describe("stalenessWeight", () => {
  it("polynomial: 1, .7071, .5774, .5 for 0 to 3 rounds", () => {
    for (const [age, expected] of [1, Math.SQRT1_2, 0.57735, 0.5].entries())
      close(stalenessWeight(age, POLYNOMIAL), expected);
    assert.equal(stalenessWeight(0, POLYNOMIAL), 1);
  });
  it("hinge: 1 up to 4 rounds, then 1/(10(a − 4) + 1)", () => {
    assert.deepEqual(
      [0, 4, 5, 6].map((age) => stalenessWeight(age, HINGE)),
      [1, 1, 1 / 11, 1 / 21],
    );
  });
  it("nothing beyond the limit", () => {
    assert.ok(stalenessWeight(20, POLYNOMIAL) > 0);
    assert.equal(stalenessWeight(21, POLYNOMIAL), 0);
    assert.equal(stalenessWeight(21, HINGE), 0);
  });
});

describe("FedBuff", () => {
  const run = (
    ages: readonly number[],
    parameters: { stepSize?: number; prior?: "uniform" | "samples" } = {},
    samples?: readonly number[],
  ) =>
    outcome(
      { rule: "fedbuff", parameters: { staleness: POLYNOMIAL, stepSize: 1, prior: "uniform", ...parameters } },
      line(...ages.map(() => 8)),
      samples,
      undefined,
      { facts: { staleness: ages } },
    );

  it("divides by the buffer, not by the weights: what staleness takes away is unspent", async () => {
    const { weights, moved } = await run([0, 3, 3, 0]);
    assert.deepEqual([...weights], [16_384, 8_192, 8_192, 16_384]);
    assert.deepEqual(moved, [6]);
    assert.deepEqual((await run([0, 0], { stepSize: 0.25 })).moved, [2]);
  });

  it("too old ones are no part of the buffer; where all are, there is no result", async () => {
    const { weights, keptAt } = await run([0, 21, 3]);
    assert.deepEqual([...weights], [32_768, 0, 16_384]);
    assert.deepEqual(keptAt, [0, 2]);
    await assert.rejects(run([21, 40]), { code: "NOTHING_KEPT" });
  });

  it("by samples where the run says so", async () =>
    assert.deepEqual([...(await run([0, 3], { prior: "samples" }, [1, 3])).weights], [16_384, 24_576]));

  it("refuses ages that are none", async () => {
    await assert.rejects(run([-1]), { code: "BAD_INPUT" });
    await assert.rejects(run([0.5]), { code: "BAD_INPUT" });
  });
});

describe("FedAsync", () => {
  const run = (ages: readonly number[], rows = line(...ages.map(() => 10))) =>
    outcome({ rule: "fedasync", parameters: { staleness: POLYNOMIAL, mixing: 0.6 } }, rows, undefined, undefined, {
      facts: { staleness: ages },
    });

  it("one fresh update moves by γ of it, one three rounds old by half of that", async () => {
    assertWeights((await run([0])).weights, [0.6]);
    assertWeights((await run([3])).weights, [0.3]);
  });

  it("several are mixed in one after the other: w ← (1 − γψ)w + γψ·w_i", async () => {
    const rows = line(1_000, -2_000, 4_000);
    const { weights, moved } = await run([0, 3, 1], rows);
    let w = 0;
    for (const [i, row] of rows.entries()) {
      const pull = 0.6 * ([1, 0.5, Math.SQRT1_2][i] as number);
      w = (1 - pull) * w + pull * (row[0] as number);
    }
    assert.ok(Math.abs((moved[0] as number) - w) < 0.2);
    assertWeights(weights, [0.6 * 0.7 * (1 - 0.6 * Math.SQRT1_2), 0.3 * (1 - 0.6 * Math.SQRT1_2), 0.6 * Math.SQRT1_2]);
  });

  it("what later ones leave nothing of is not kept", async () => {
    const { keptAt } = await run(new Array(20).fill(0));
    // 0.6·0.4^m ≥ 2^-17 for m ≤ 12.
    assert.deepEqual(keptAt, [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});
