// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { integerWeights, sharesOf } from "../../src/aggregation/integerWeights.ts";

describe("integerWeights", () => {
  it("sums to 2^16 by largest remainder, ties to the lowest id", () => {
    assert.deepEqual([...integerWeights([1n, 1n, 1n], [true, true, true])], [21_846, 21_845, 21_845]);
  });

  it("gives a kept update that rounds to 0 one unit from the largest, ties to the lowest id", () => {
    assert.deepEqual([...integerWeights([1_000_000n, 1n, 1_000_000n], [true, true, true])], [32_767, 1, 32_768]);
    // Two of them: the first takes from member 0, the second from the largest then, member 3.
    assert.deepEqual(
      [...integerWeights([1_000_000n, 1n, 1n, 1_000_000n], [true, true, true, true])],
      [32_767, 1, 1, 32_767],
    );
  });

  it("gives nothing to what is not kept, whatever its share", () => {
    assert.deepEqual([...integerWeights([5n, 1_000n, 5n], [true, false, true])], [32_768, 0, 32_768]);
  });

  it("always sums to 2^16 with at least one unit for each kept update, up to 2 048 of them", () => {
    const column = fc.array(
      fc.record({ share: fc.oneof(fc.bigInt(1n, 1n << 52n), fc.constantFrom(1n, 0n)), kept: fc.boolean() }),
      { minLength: 1, maxLength: 2_048 },
    );
    fc.assert(
      fc.property(
        column.filter((all) => all.some(({ share, kept }) => kept && share > 0n)),
        (all) => {
          const weights = integerWeights(
            all.map(({ share }) => share),
            all.map(({ kept }) => kept),
          );
          assert.equal(
            weights.reduce((sum, weight) => sum + weight, 0),
            65_536,
          );
          for (const [i, { kept }] of all.entries()) assert.equal((weights[i] as number) > 0, kept);
        },
      ),
      { seed: 71, numRuns: 50 },
    );
  });
});

describe("sharesOf", () => {
  it("scales exactly", () => {
    assert.deepEqual(sharesOf(Float64Array.of(1, 0.5, 2 ** -52, 2 ** -53, 0)), [2n ** 52n, 2n ** 51n, 1n, 0n, 0n]);
  });
});
