// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { squaredNorm } from "../../src/protocol/exactNorm.ts";
import { MASTER_LIMIT, MASTER_MIN, masterDistanceSq } from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";

const LAYOUT = modelLayout([
  { name: "a", shape: [3], fractionBits: 18, group: 0 },
  { name: "b", shape: [2], fractionBits: 10, group: 0 },
]);

describe("squaredNorm", () => {
  it("by hand: a unit on 2^-10 counts 2^16 units on 2^-36", () => {
    assert.equal(squaredNorm(Int32Array.of(1, -2, 3, 1, 0), LAYOUT), 14n + 65_536n);
  });

  it("agrees with BigInt arithmetic on anything up to a difference of two masters", () => {
    const value = fc.oneof(
      fc.integer({ min: MASTER_MIN * 2, max: -MASTER_MIN * 2 }),
      fc.constantFrom(0, -1, 1, MASTER_LIMIT - MASTER_MIN, MASTER_MIN - MASTER_LIMIT, 2 ** 21, -(2 ** 21)),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 5, maxLength: 5 }), (list) => {
        const values = Float64Array.from(list);
        assert.equal(squaredNorm(values, LAYOUT), masterDistanceSq(values, new Float64Array(5), LAYOUT));
      }),
      { seed: 51, numRuns: 200 },
    );
  });

  it("stays exact over many folded blocks of the largest values", () => {
    const layout = modelLayout([{ name: "w", shape: [5_000], fractionBits: 0, group: 0 }]);
    const random = keyedRandom("exactNorm");
    const values = Float64Array.from(
      { length: 5_000 },
      () => (random.integerBelow(2) === 0 ? 1 : -1) * (2 ** 41 - random.integerBelow(9)),
    );
    assert.equal(
      squaredNorm(values, layout),
      Array.from(values).reduce((sum, v) => sum + BigInt(v) ** 2n, 0n),
    );
  });
});
