// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { standardiser } from "../../src/data/standardise.ts";

const { NaN: missing } = Number;

describe("standardising", () => {
  it("by the training rows, population deviation; the same numbers for rows it was not fitted to", () => {
    // 1, 2, 3, 6: mean 3, squared deviations 4 + 1 + 0 + 9 = 14, deviation √3.5 = 1.8708 (over n − 1 it would be 2.1602).
    const scale = standardiser({ values: Float64Array.of(1, 2, 3, 6), columns: 1 });
    const expected = [-2, -1, 0, 3, 7].map((x) => Math.fround(x / Math.sqrt(3.5)));
    assert.deepEqual([...scale({ values: Float64Array.of(1, 2, 3, 6, 10), columns: 1 })], expected);
  });

  it("missing values are the mean of the present ones; constant and empty columns become 0; indicators stay", () => {
    const values = Float64Array.of(4, 7.1, missing, 1, missing, 7.1, missing, 0, 8, 7.1, missing, 1);
    const scale = standardiser({ values, columns: 4 }, { untouched: new Set([3]) });
    assert.deepEqual([...scale({ values, columns: 4 })], [-1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1]);
    // A constant column says nothing: another value in a test row is 0 too.
    assert.deepEqual([...scale({ values: Float64Array.of(6, 9, 5, 1), columns: 4 })], [0, 0, 0, 1]);
  });

  it("outliers are held at the limit", () => {
    const values = Float64Array.from({ length: 401 }, (_, i) => (i === 0 ? 1 : 0));
    const scaled = standardiser({ values, columns: 1 })({ values, columns: 1 });
    // Mean 1/401, deviation √400/401: 20 deviations away.
    assert.equal(scaled[0], 10);
    assert.ok(Math.abs((scaled[1] as number) + 0.05) < 1e-6);
    assert.equal(standardiser({ values, columns: 1 }, { limit: 3 })({ values, columns: 1 })[0], 3);
  });
});
