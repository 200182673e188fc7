// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { kthSmallest, median, quantile } from "../../src/numerics/quantiles.ts";

describe("order statistics", () => {
  it("selects what sorting would, and leaves the input alone", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 40 }),
        fc.nat(),
        (values, seed) => {
          const before = [...values];
          const k = seed % values.length;
          assert.equal(kthSmallest(values, k), values.toSorted((a, b) => a - b)[k]);
          assert.deepEqual(values, before);
        },
      ),
    );
  });

  it("averages the two middle values of an even number", () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([9, 1, 5]), 5);
  });

  it("interpolates between order statistics", () => {
    assert.equal(quantile([10, 0, 20, 30], 0.5), 15);
    assert.equal(quantile([10, 0, 20, 30], 0.9), 27);
    assert.deepEqual([quantile([3, 1, 2], 0), quantile([3, 1, 2], 1)], [1, 3]);
  });

  it("refuses NaN, no values and ranks outside", () => {
    assert.throws(() => median([1, NaN]), /NaN/);
    assert.throws(() => median([]), /none of rank/);
    assert.throws(() => quantile([1], 1.5), /probability/);
  });
});
