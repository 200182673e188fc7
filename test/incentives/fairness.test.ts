// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contributionShares, fairnessTerm } from "../../src/incentives/fairness.ts";

describe("fairnessTerm", () => {
  it("is the mean squared distance from the mean", () => {
    assert.equal(fairnessTerm([1, 2, 6]), (4 + 1 + 9) / 3);
    assert.equal(fairnessTerm([5, 5]), 0);
    assert.equal(fairnessTerm([]), 0);
  });
  it("of contributions as shares of all there are, harm counted as it is", () => {
    assert.deepEqual([...contributionShares([3, -1, 0])], [0.75, -0.25, 0]);
    assert.deepEqual([...contributionShares([0, 0])], [0, 0]);
  });
});
