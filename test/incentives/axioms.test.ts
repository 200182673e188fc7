// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { gtgShapley } from "../../src/incentives/gtgShapley.ts";
import { inRunShapley } from "../../src/incentives/inRunShapley.ts";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import type { Utility } from "../../src/incentives/utility.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import { games, table, total } from "./games.ts";

const name = { beacon: new Uint8Array(32).fill(3), run: 1n, round: 1 };
type Method = (players: number, utility: Utility) => Promise<number[]>;
const METHODS: Record<string, Method> = {
  exact: exactShapley,
  "monte-carlo": (players, utility) => monteCarloShapley(players, utility, { ...name, permutations: 6 }),
  gtg: (players, utility) => gtgShapley(players, utility, { ...name, permutations: 6 }),
};
/** The game with one more player, who adds nothing to anybody, at place `at`. */
const withDummy = (values: readonly number[], at: number): Utility => {
  const below = (1n << BigInt(at)) - 1n;
  return async (coalition) =>
    values[Number((coalition & below) | ((coalition >> BigInt(at + 1)) << BigInt(at)))] as number;
};
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
/** Every order of 0 … n−1. */
const orders = (n: number): number[][] =>
  n === 0
    ? [[]]
    : orders(n - 1).flatMap((order) => Array.from({ length: n }, (_, at) => order.toSpliced(at, 0, n - 1)));

describe("axioms of Shapley values", () => {
  for (const [method, shapley] of Object.entries(METHODS)) {
    it(`${method}: efficiency, but for rounding down`, async () => {
      await fc.assert(
        fc.asyncProperty(games(1, 6), async ({ players, values }) => {
          const missing = (values.at(-1) as number) - total(await shapley(players, table(values)));
          assert.ok(missing >= 0 && missing < players);
        }),
        { seed: 61, numRuns: 30 },
      );
    });

    it(`${method}: who adds nothing scores nothing`, async () => {
      await fc.assert(
        fc.asyncProperty(games(1, 5), fc.nat(5), async ({ players, values }, place) => {
          const at = place % (players + 1);
          assert.equal((await shapley(players + 1, withDummy(values, at)))[at], 0);
        }),
        { seed: 62, numRuns: 30 },
      );
    });

    it(`${method}: additivity, where nothing is rounded`, async () => {
      await fc.assert(
        fc.asyncProperty(games(1, 4), fc.nat(), async ({ players, values }, seed) => {
          const random = keyedRandom("other game", seed);
          // Divisible by every number of orders that these methods divide by.
          const unit = 12 * 2_520;
          const [one, other] = [values, values.map((_, i) => (i === 0 ? 0 : random.integerBelow(70) - 35))].map(
            (game) => game.map((value) => unit * (value % 35)),
          ) as [number[], number[]];
          const fixed: Method = method === "gtg" ? (n, u) => gtgShapley(n, u, { ...name, permutations: n }) : shapley;
          const [of, and, sum] = await Promise.all(
            [one, other, one.map((value, i) => value + (other[i] as number))].map((game) =>
              fixed(players, table(game)),
            ),
          );
          assert.deepEqual(
            sum,
            of?.map((value, i) => value + (and?.[i] as number)),
          );
        }),
        { seed: 63, numRuns: 30 },
      );
    });
  }

  it("exact: symmetry, as players who change places change scores", async () => {
    await fc.assert(
      fc.asyncProperty(games(2, 6), fc.nat(), async ({ players, values }, seed) => {
        const places = keyedRandom("places", seed).permutation(players);
        const moved: Utility = async (coalition) => {
          let before = 0;
          for (let i = 0; i < players; i++) if ((coalition >> BigInt(i)) & 1n) before |= 1 << (places[i] as number);
          return values[before] as number;
        };
        const scores = await exactShapley(players, table(values));
        assert.deepEqual(
          await exactShapley(players, moved),
          places.map((place) => scores[place] as number),
        );
      }),
      { seed: 64, numRuns: 40 },
    );
  });

  it("exact: the mean marginal over every order, which is the definition", async () => {
    await fc.assert(
      fc.asyncProperty(games(1, 5), async ({ players, values }) => {
        const sums = new Array<number>(players).fill(0);
        for (const order of orders(players)) {
          let coalition = 0;
          for (const player of order) {
            const next = coalition | (1 << player);
            sums[player] = (sums[player] as number) + (values[next] as number) - (values[coalition] as number);
            coalition = next;
          }
        }
        assert.deepEqual(
          await exactShapley(players, table(values)),
          sums.map((sum) => Math.floor(sum / factorial(players))),
        );
      }),
      { seed: 65, numRuns: 40 },
    );
  });

  it("ten players are scored exactly, in 1 023 evaluations", async () => {
    let asked = 0;
    const utility: Utility = async (coalition) => {
      asked += 1;
      return Number(coalition);
    };
    assert.deepEqual(
      await exactShapley(10, utility),
      Array.from({ length: 10 }, (_, i) => 2 ** i),
    );
    assert.equal(asked, 1_023);
  });

  it("in-run: an update's score is linear in gradient and curvature, and 0 where both are", () => {
    const product = fc.bigInt({ min: -(2n ** 30n), max: 2n ** 30n });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(6_553), product, product), { minLength: 1, maxLength: 10 }), (members) => {
        const scoresOf = (gradient: 0n | 1n, curvature: 0n | 1n): number[] =>
          inRunShapley({
            weights: Uint32Array.from(members, ([weight]) => weight),
            groups: 1,
            // Multiples of 2^20 of the unit: nothing is rounded.
            gradientProducts: members.map(([, one]) => (gradient * one) << 1n),
            curvatureProducts: members.map(([, , two]) => (curvature * two) << 1n),
            fractionBits: 3 + 20,
          });
        const fine = (scores: number[]): boolean => scores.every((score) => Math.abs(score) < 2_147_483_647);
        const [both, first, second] = [scoresOf(1n, 1n), scoresOf(1n, 0n), scoresOf(0n, 1n)];
        assert.ok(fine(both));
        for (const [i, score] of both.entries()) {
          const difference = score - (first[i] as number) - (second[i] as number);
          assert.ok(difference === 0 || difference === 1);
        }
        assert.deepEqual(scoresOf(0n, 0n), new Array(members.length).fill(0));
      }),
      { seed: 66 },
    );
  });
});
