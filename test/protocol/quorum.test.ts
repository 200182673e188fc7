// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acceptanceThreshold, quorum, toleratedFaults } from "../../src/protocol/quorum.ts";

describe("quorum", () => {
  for (const [n, faults, needed] of [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 5],
    [7, 2, 5],
    [10, 3, 7],
  ] as const) {
    it(`of ${n} validators, ${faults} may be faulty and ${needed} decide`, () => {
      assert.deepEqual([toleratedFaults(n), quorum(n)], [faults, needed]);
    });
  }
  it("holds for every number of validators: safe, live, and f the largest that is", () => {
    for (let n = 1; n <= 100; n++) {
      const f = toleratedFaults(n);
      const q = quorum(n);
      assert.equal(q, n - f, `n = ${n}: the honest alone make a quorum`);
      assert.ok(2 * q - n > f, `n = ${n}: two quorums share an honest validator`);
      assert.ok(3 * f < n && 3 * (f + 1) >= n, `n = ${n}: f is the largest below n/3`);
      assert.equal(acceptanceThreshold(n), f + 1, `n = ${n}: one of f+1 is honest`);
      assert.ok(acceptanceThreshold(n) <= q, `n = ${n}`);
    }
  });
});
