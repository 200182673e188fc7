// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { estimateShapley, relativeError } from "../../src/incentives/estimateShapley.ts";
import { antitheticPair, marginalsAlong } from "../../src/incentives/permutations.ts";
import { exactShapley, monteCarloShapley } from "../../src/incentives/shapley.ts";
import { EXAMPLE, EXAMPLE_UNIT, learners, table } from "./games.ts";

const name = { beacon: new Uint8Array(32).fill(4), run: 2n, round: 1 };
const variance = (values: readonly number[], divisor: number): number => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / divisor;
};
const worthOf = async (coalition: bigint): Promise<bigint> => BigInt(EXAMPLE[Number(coalition)] as number);

describe("estimateShapley", () => {
  it("marginals of the example over all six orders vary by (.0020139, .0013889, .0020139)", async () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    const marginals = await Promise.all(orders.map((order) => marginalsAlong(order, worthOf, 0n, 0n)));
    for (const [player, expected] of [0.0020139, 0.0013889, 0.0020139].entries()) {
      const values = marginals.map((one) => Number(one[player] as bigint) / EXAMPLE_UNIT);
      assert.ok(Math.abs(variance(values, 6) - expected) < 5e-8);
    }
  });

  it("its variances are those of the marginals that it drew, and its scores those of Monte Carlo", async () => {
    const found = await estimateShapley(3, table(EXAMPLE), { ...name, least: 40, most: 40 });
    assert.equal(found.permutations, 40);
    const drawn: bigint[][] = [];
    for (let j = 0; j < 20; j++)
      for (const order of antitheticPair(3, name, j)) drawn.push(await marginalsAlong(order, worthOf, 0n, 0n));
    for (const [player, value] of found.variances.entries()) {
      const expected = variance(
        drawn.map((one) => Number(one[player] as bigint)),
        39,
      );
      assert.ok(Math.abs(value - expected) <= 1e-9 * expected);
      assert.ok(Math.abs((found.standardErrors[player] as number) - Math.sqrt(expected / 40)) < 1e-6 * EXAMPLE_UNIT);
    }
    assert.deepEqual(found.scores, await monteCarloShapley(3, table(EXAMPLE), { ...name, permutations: 40 }));
    assert.equal(found.evaluations, 7);
  });

  it("stops when standard errors are a twentieth of the mean utility, or at the most orders", async () => {
    const easy = await estimateShapley(6, learners(6), name);
    assert.ok(easy.permutations < 2_000);
    assert.ok(easy.permutations === 30 || easy.standardErrors.every((error) => error <= 0.05 * 1_048_576));
    const strict = await estimateShapley(6, learners(6), { ...name, precision: 0.01 });
    assert.ok(strict.permutations > easy.permutations);
    const never = await estimateShapley(6, learners(6), { ...name, precision: 0, most: 64 });
    assert.equal(never.permutations, 64);
  });

  it("comes within .15 of the exact values with 50 orders and .03 with 2 000, for 3, 6 and 8 players", async () => {
    for (const [players, utility] of [
      [3, table(EXAMPLE)],
      [6, learners(6)],
      [8, learners(8)],
    ] as const) {
      const exact = await exactShapley(players, utility);
      for (const [permutations, accepted] of [
        [50, 0.15],
        [2_000, 0.03],
      ] as const) {
        const error = relativeError(await monteCarloShapley(players, utility, { ...name, permutations }), exact);
        assert.ok(error <= accepted, `${players} players, ${permutations} orders: ${error}`);
      }
    }
  });

  it("scores nobody where there is nobody", async () =>
    assert.deepEqual((await estimateShapley(0, learners(0), name)).scores, []));
});

describe("relativeError", () => {
  it("is the distance by the length of the exact values", () => {
    assert.equal(relativeError([3, 4], [3, 4]), 0);
    assert.equal(relativeError([0, 0], [3, 4]), 1);
    assert.equal(relativeError([3, 5], [3, 4]), 0.2);
    assert.equal(relativeError([0], [0]), 0);
    assert.equal(relativeError([1], [0]), Infinity);
  });
});
