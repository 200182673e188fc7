// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import { truncatedShapley } from "../../src/incentives/truncatedShapley.ts";
import type { Utility } from "../../src/incentives/utility.ts";
import { EXAMPLE, learners, table } from "./games.ts";

const name = { beacon: new Uint8Array([7]), run: 1n, round: 3 };

describe("truncated Monte-Carlo Shapley", () => {
  it("stops within 1 % of v(N), and a larger truncation takes its place", async () => {
    const options = { permutations: 40, ...name };
    const whole = EXAMPLE[7] as number;
    for (const truncation of [0, 100])
      assert.deepEqual(
        await truncatedShapley(3, table(EXAMPLE), { ...options, truncation }),
        await monteCarloShapley(3, table(EXAMPLE), { ...options, truncation: whole / 100 }),
      );
    const truncation = whole / 5;
    const cut = await truncatedShapley(3, table(EXAMPLE), { ...options, truncation });
    assert.deepEqual(cut, await monteCarloShapley(3, table(EXAMPLE), { ...options, truncation }));
    assert.notDeepEqual(cut, await monteCarloShapley(3, table(EXAMPLE), options));
  });

  it("asks for fewer coalitions than all orders, and is off by at most the tolerance", async () => {
    // The last five of eight players add 1 in a thousand each.
    const worth = [400, 300, 295, 1, 1, 1, 1, 1];
    let asked = 0;
    const utility: Utility = async (coalition) => {
      asked += 1;
      return 1000 * worth.reduce((sum, value, i) => sum + (((coalition >> BigInt(i)) & 1n) === 1n ? value : 0), 0);
    };
    const scores = await truncatedShapley(8, utility, { permutations: 60, ...name });
    const truncated = asked;
    asked = 0;
    await monteCarloShapley(8, utility, { permutations: 60, ...name });
    assert.ok(truncated < asked, `${truncated} of ${asked}`);
    for (const [i, score] of scores.entries()) assert.ok(Math.abs(score - 1000 * (worth[i] as number)) <= 10_000);
  });

  it("of nobody is nothing; of a smooth game near the exact values", async () => {
    assert.deepEqual(await truncatedShapley(0, table([0]), name), []);
    const [scores, exact] = [
      await truncatedShapley(6, learners(6), { permutations: 50, ...name }),
      await exactShapley(6, learners(6)),
    ];
    for (const [i, score] of scores.entries()) assert.ok(Math.abs(score - (exact[i] as number)) < 15_000, `${score}`);
  });
});
