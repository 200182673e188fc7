// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { defaultPermutations, exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import type { Utility } from "../../src/incentives/utility.ts";
import { fromHex } from "../../src/protocol/bytes.ts";

interface ShapleyVector {
  name: string;
  players: number;
  utilities: number[];
  exact: number[];
  monteCarlo: {
    permutations: number;
    truncation: number;
    beacon: string;
    run: string;
    round: number;
    expected: number[];
  }[];
}
const vectors = JSON.parse(readFileSync(new URL("../vectors/shapley.json", import.meta.url), "utf8")) as {
  cases: ShapleyVector[];
};

const table =
  (values: readonly number[]): Utility =>
  async (coalition) =>
    values[Number(coalition)] as number;
const beacon = new Uint8Array(32).fill(7);
const options = { beacon, run: 1n, round: 1 };
const total = (scores: readonly number[]): number => scores.reduce((sum, one) => sum + one, 0);

/** A game of K players: v(∅) = 0, everything else drawn. */
const game = fc.integer({ min: 1, max: 5 }).chain((players) =>
  fc
    .array(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
      minLength: 2 ** players - 1,
      maxLength: 2 ** players - 1,
    })
    .map((values) => ({ players, values: [0, ...values] })),
);

describe("Shapley values", () => {
  for (const vector of vectors.cases) {
    it(`recorded: ${vector.name}`, async () => {
      assert.deepEqual(await exactShapley(vector.players, table(vector.utilities)), vector.exact);
      for (const { permutations, truncation, beacon: seed, run, round, expected } of vector.monteCarlo) {
        const drawn = { permutations, truncation, beacon: fromHex(seed), run: BigInt(run), round };
        assert.deepEqual(await monteCarloShapley(vector.players, table(vector.utilities), drawn), expected);
      }
    });
  }

  it("the example by hand: (.491667, .366667, .041667) of .9", async () => {
    const values = [0, 0.5, 0.4, 0.8, 0, 0.55, 0.4, 0.9].map((x) => 1_200_000 * x);
    assert.deepEqual(await exactShapley(3, table(values.map((x) => Math.trunc(x + 0.5)))), [590_000, 440_000, 50_000]);
  });

  it("efficiency: exact scores add up to v(N), less at most one unit each for rounding down", async () => {
    await fc.assert(
      fc.asyncProperty(game, async ({ players, values }) => {
        const missing = (values.at(-1) as number) - total(await exactShapley(players, table(values)));
        assert.ok(missing >= 0 && missing < players, `${missing}`);
      }),
      { seed: 11, numRuns: 60 },
    );
  });

  it("efficiency holds for every number of orders without truncation", async () => {
    await fc.assert(
      fc.asyncProperty(game, async ({ players, values }) => {
        const missing =
          (values.at(-1) as number) -
          total(await monteCarloShapley(players, table(values), { ...options, permutations: 4 }));
        assert.ok(missing >= 0 && missing < players, `${missing}`);
      }),
      { seed: 12, numRuns: 40 },
    );
  });

  it("symmetry and dummy: equal players score alike, a player that adds nothing scores 0", async () => {
    // Players 0 and 1 are interchangeable, player 2 adds nothing.
    const worth = [0, 300, 1000];
    const utility: Utility = async (coalition) =>
      worth[Number(coalition & 1n) + Number((coalition >> 1n) & 1n)] as number;
    assert.deepEqual(await exactShapley(3, utility), [500, 500, 0]);
  });

  it("additivity: the scores of a sum of games are the sums of their scores", async () => {
    // Multiples of 3! leave nothing to round.
    const a = [0, 6, 12, 60, -18, 0, 36, 90];
    const b = [0, 0, 6, 12, 24, -60, 6, 66];
    const [of_a, of_b, of_sum] = await Promise.all(
      [a, b, a.map((x, i) => x + (b[i] as number))].map((values) => exactShapley(3, table(values))),
    );
    assert.deepEqual(
      of_sum,
      of_a?.map((x, i) => x + (of_b?.[i] as number)),
    );
  });

  it("an additive game needs no averaging: the estimate is exact for any orders", async () => {
    const worth = [5n, -3n, 0n, 1_000n, 7n];
    const utility: Utility = async (coalition) =>
      worth.reduce((sum, one, i) => ((coalition >> BigInt(i)) & 1n ? sum + one : sum), 0n);
    assert.deepEqual(await monteCarloShapley(5, utility, { ...options, permutations: 2 }), worth.map(Number));
  });

  it("the estimate approaches the exact value as M grows", async () => {
    const values = vectors.cases.find(({ players }) => players === 5)?.utilities as number[];
    const exact = await exactShapley(5, table(values));
    const norm = Math.sqrt(exact.reduce((sum, x) => sum + x * x, 0));
    const error = async (permutations: number): Promise<number> => {
      const estimate = await monteCarloShapley(5, table(values), { ...options, permutations });
      return Math.sqrt(estimate.reduce((sum, x, i) => sum + (x - (exact[i] as number)) ** 2, 0)) / norm;
    };
    assert.ok((await error(50)) < 0.15);
    assert.ok((await error(2000)) < 0.03);
  });

  it("antithetic pairs are exact where a player's marginal is linear in its place", async () => {
    // v(S) = |S|² − |S|: the player at place p adds 2p, and p + p' = K − 1 over a pair.
    const utility: Utility = async (coalition) => {
      const size = BigInt(coalition.toString(2).replaceAll("0", "").length);
      return size * size - size;
    };
    assert.deepEqual(await monteCarloShapley(6, utility, { ...options, permutations: 2 }), [5, 5, 5, 5, 5, 5]);
  });

  it("truncation asks for fewer coalitions, and a total below it gives zeros", async () => {
    const asked = new Set<bigint>();
    const utility: Utility = async (coalition) => {
      assert.ok(!asked.has(coalition), "each coalition is evaluated once");
      asked.add(coalition);
      return 1_000 - Number(coalition === 1n);
    };
    await monteCarloShapley(10, utility, { ...options, truncation: 0 });
    const without = asked.size;
    asked.clear();
    await monteCarloShapley(10, utility, { ...options, truncation: 10 });
    assert.ok(asked.size < without / 5, `${asked.size} of ${without}`);
    asked.clear();
    assert.deepEqual(await monteCarloShapley(10, utility, { ...options, truncation: 1_001 }), new Array(10).fill(0));
    assert.equal(asked.size, 1);
  });

  it("works beyond 31 players, where a 32-bit bitmap would wrap", async () => {
    const utility: Utility = async (coalition) => Number((coalition >> 33n) & 1n) * 9;
    const scores = await monteCarloShapley(34, utility, { ...options, permutations: 2 });
    assert.deepEqual(scores, [...new Array<number>(33).fill(0), 9]);
  });

  it("scores nobody when nobody was kept", async () => {
    const never: Utility = () => assert.fail("no coalition to ask for");
    assert.deepEqual(await exactShapley(0, never), []);
    assert.deepEqual(await monteCarloShapley(0, never, options), []);
  });

  it("refuses eleven exact players, an odd number of orders, and utilities that are not integers", async () => {
    const zero: Utility = async () => 0;
    await assert.rejects(exactShapley(11, zero), /11 players.*0 to 10/);
    await assert.rejects(monteCarloShapley(2, zero, { ...options, permutations: 31 }), /pairs; 31/);
    await assert.rejects(
      exactShapley(1, async () => 0.5),
      /0\.5/,
    );
    await assert.rejects(
      exactShapley(1, async () => Number.NaN),
      /NaN/,
    );
  });

  it("draws max(30, 2K) orders unless told otherwise", () => {
    assert.equal(defaultPermutations(5), 30);
    assert.equal(defaultPermutations(32), 64);
  });
});
