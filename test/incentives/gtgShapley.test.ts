// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { relativeError } from "../../src/incentives/estimateShapley.ts";
import { gtgShapley } from "../../src/incentives/gtgShapley.ts";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import type { Utility } from "../../src/incentives/utility.ts";
import { EXAMPLE, EXAMPLE_UNIT, games, learners, table, total } from "./games.ts";

const name = { beacon: new Uint8Array(32).fill(9), run: 1n, round: 3 };

describe("GTG-Shapley", () => {
  it("the example of the specification, within 15 % of the exact values", async () => {
    const scores = await gtgShapley(3, table(EXAMPLE), name);
    assert.ok(relativeError(scores, await exactShapley(3, table(EXAMPLE))) < 0.15);
    assert.ok(Math.abs(total(scores) - 0.9 * EXAMPLE_UNIT) < 3);
  });

  it("efficiency: scores add up to v(N), less at most one unit each, with and without truncation", async () => {
    await fc.assert(
      fc.asyncProperty(games(1, 5), fc.constantFrom(0, 1_000, 300_000), async ({ players, values }, truncation) => {
        const whole = values.at(-1) as number;
        const scores = await gtgShapley(players, table(values), { ...name, truncation });
        const missing = whole - total(scores);
        if (truncation > 0 && Math.abs(whole) <= truncation) assert.deepEqual(scores, new Array(players).fill(0));
        else assert.ok(missing >= 0 && missing < players, `${missing}`);
      }),
      { seed: 31, numRuns: 60 },
    );
  });

  it("without truncation it is what Monte Carlo is: exact for additive games, near the same value for others", async () => {
    const worth = [5n, -3n, 0n, 1_000n, 7n];
    const additive: Utility = async (coalition) =>
      worth.reduce((sum, one, i) => ((coalition >> BigInt(i)) & 1n ? sum + one : sum), 0n);
    assert.deepEqual(await gtgShapley(5, additive, name), worth.map(Number));
    const utility = learners(7);
    const exact = await exactShapley(7, utility);
    // Its orders are not antithetic, so it errs more; over rounds the errors cancel.
    const rounds = await Promise.all([1, 2, 3, 4, 5, 6].map((round) => gtgShapley(7, utility, { ...name, round })));
    for (const scores of rounds) assert.ok(relativeError(scores, exact) < 0.15);
    const mean = exact.map((_, i) => rounds.reduce((sum, scores) => sum + (scores[i] as number), 0) / rounds.length);
    assert.ok(relativeError(mean, exact) < 0.03);
    assert.ok(relativeError(await monteCarloShapley(7, utility, { ...name, permutations: 200 }), exact) < 0.03);
  });

  it("symmetry and dummy: whoever adds nothing scores 0, equals score alike but for the sampling", async () => {
    const worth = [0, 300_000, 1_000_000];
    const utility: Utility = async (coalition) =>
      worth[Number(coalition & 1n) + Number((coalition >> 1n) & 1n)] as number;
    const [one, other, dummy] = (await gtgShapley(3, utility, name)) as [number, number, number];
    assert.equal(dummy, 0);
    assert.ok(Math.abs(one - other) < 150_000);
  });

  it("everybody is first in turn, and sampling ends after whole turns", async () => {
    const singles = new Map<bigint, number>();
    const prefixes: bigint[] = [];
    const utility: Utility = async (coalition) => {
      prefixes.push(coalition);
      return Number(coalition % 97n);
    };
    await gtgShapley(8, utility, { ...name, permutations: 2 });
    for (const coalition of prefixes)
      if ((coalition & (coalition - 1n)) === 0n) singles.set(coalition, (singles.get(coalition) ?? 0) + 1);
    assert.equal(singles.size, 8);
  });

  it("a round that changed little scores nobody, with one evaluation", async () => {
    let asked = 0;
    const utility: Utility = async (coalition) => {
      asked += 1;
      return coalition === 7n ? -1_049 : 500_000;
    };
    assert.deepEqual(await gtgShapley(3, utility, { ...name, truncation: 1_049 }), [0, 0, 0]);
    assert.equal(asked, 1);
  });

  it("truncation within a round saves evaluations, and what is cut off is shared in proportion", async () => {
    let asked = 0;
    const counted =
      (utility: Utility): Utility =>
      (coalition) => {
        asked += 1;
        return utility(coalition);
      };
    // Player 0 brings nearly everything.
    const utility: Utility = async (coalition) => ((coalition & 1n) === 1n ? 1_000_000 : 0) + Number(coalition >> 1n);
    const whole = 1_000_000 + 511;
    await gtgShapley(10, counted(utility), { ...name, permutations: 30 });
    const without = asked;
    asked = 0;
    const scores = await gtgShapley(10, counted(utility), { ...name, permutations: 30, truncation: 1_049 });
    assert.ok(asked < 0.7 * without, `${asked} of ${without}`);
    assert.ok(whole - total(scores) >= 0 && whole - total(scores) < 10);
  });

  it("scores that nearly cancel are not blown up by what truncation cut off", async () => {
    // v(N) is a little above the truncation, and two players undo each other.
    const utility: Utility = async (coalition) =>
      (coalition & 1n ? 500_000 : 0) - (coalition & 2n ? 499_500 : 0) + (coalition & 4n ? 600 : 0);
    const scores = await gtgShapley(3, utility, { ...name, truncation: 1_000 });
    for (const one of scores) assert.ok(Math.abs(one) <= 501_000, `${scores}`);
    assert.ok(1_100 - total(scores) >= 0 && 1_100 - total(scores) < 3);
  });

  it("works beyond 31 players and for none", async () => {
    const utility: Utility = async (coalition) => Number((coalition >> 33n) & 1n) * 9;
    assert.deepEqual(await gtgShapley(34, utility, { ...name, permutations: 34 }), [
      ...new Array<number>(33).fill(0),
      9,
    ]);
    assert.deepEqual(await gtgShapley(0, utility, name), []);
    assert.deepEqual(await gtgShapley(1, async () => -12, name), [-12]);
  });
});
