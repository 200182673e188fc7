// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { coalitionWeights } from "../../src/incentives/coalitionWeights.ts";

describe("coalitionWeights", () => {
  it("renormalises the coalition's weights to the column's sum by largest remainder", () => {
    // 65536·3/5 = 39321.6 and 65536·2/5 = 26214.4: the missing unit goes to the first.
    const weights = Uint32Array.from([30_000, 15_536, 20_000]);
    assert.deepEqual([...coalitionWeights(weights, 1, [0, 2], "own")], [39_322, 0, 26_214]);
  });

  it("keeps each column's own sum: what the rule shrank stays shrunk", () => {
    const weights = Uint32Array.from([1_000, 4, 3_000, 4, 0, 8]); // columns sum to 4000 and 16
    assert.deepEqual([...coalitionWeights(weights, 2, [0, 1], "own")], [1_000, 8, 3_000, 8, 0, 0]);
  });

  it("leaves a column still where the coalition has no weight", () => {
    assert.deepEqual([...coalitionWeights(Uint32Array.from([0, 5, 9, 5]), 2, [0], "own")], [0, 10, 0, 0]);
  });

  it("weighs equally for coordinate rules, whatever λ was recorded", () => {
    const weights = Uint32Array.from([21_846, 21_845, 21_845]);
    assert.deepEqual([...coalitionWeights(weights, 1, [0, 2], "equal")], [32_768, 0, 32_768]);
    assert.deepEqual([...coalitionWeights(weights, 1, [0, 1, 2], "equal")], [21_846, 21_845, 21_845]);
  });

  it("gives everybody the round's own weights, any part of them the same sum, and no member less than before", () => {
    const matrix = fc.integer({ min: 1, max: 3 }).chain((groups) =>
      fc.record({
        groups: fc.constant(groups),
        rows: fc.array(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: groups, maxLength: groups }), {
          minLength: 1,
          maxLength: 20,
        }),
        pick: fc.bigInt(1n, (1n << 20n) - 1n),
      }),
    );
    fc.assert(
      fc.property(matrix, ({ groups, rows, pick }) => {
        const weights = Uint32Array.from(rows.flat());
        assert.deepEqual(
          coalitionWeights(
            weights,
            groups,
            rows.map((_, i) => i),
            "own",
          ),
          weights,
        );
        const coalition = rows.map((_, i) => i).filter((i) => (pick >> BigInt(i)) & 1n);
        if (coalition.length === 0) return;
        const restricted = coalitionWeights(weights, groups, coalition, "own");
        for (let g = 0; g < groups; g++) {
          const column = (matrixRows: Uint32Array): number[] =>
            rows.map((_, i) => matrixRows[i * groups + g] as number);
          const add = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);
          assert.equal(add(column(restricted)), add(column(weights)));
          for (const [i, weight] of column(restricted).entries())
            assert.ok(coalition.includes(i) ? weight >= (column(weights)[i] as number) : weight === 0);
        }
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it("refuses an empty coalition, one out of order, and rows that are not there", () => {
    const weights = Uint32Array.from([1, 2]);
    for (const coalition of [[], [1, 0], [0, 0], [2], [-1]])
      assert.throws(() => coalitionWeights(weights, 1, coalition, "own"), /not an ascending/);
  });
});
