// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { multiplicativeReward } from "../../src/incentives/multiplicativeReward.ts";

const member = (contribution: bigint, participated = 1, invited = 1) => ({ contribution, participated, invited });
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, one) => all + one, 0n);

describe("multiplicativeReward", () => {
  it("the examples of the specification: (769, 231, 0) of 1000, and (4, 3, 3) of 10", () => {
    assert.deepEqual(multiplicativeReward(1_000n, [member(5n), member(3n, 1, 2), member(-1n)]), [769n, 231n, 0n]);
    assert.deepEqual(multiplicativeReward(10n, [member(7n), member(7n), member(7n)]), [4n, 3n, 3n]);
  });
  it("without a positive score it pays by participation, and without that nothing: the pool rolls over", () => {
    assert.deepEqual(multiplicativeReward(9n, [member(0n, 1, 2), member(-4n, 1, 1)]), [3n, 6n]);
    assert.deepEqual(multiplicativeReward(9n, [member(5n, 0, 2), member(1n, 0, 0)]), [0n, 0n]);
    assert.deepEqual(multiplicativeReward(9n, []), []);
  });
  it("pays the pool to the last unit, none to anyone without a share, and alike in any order but for one unit", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 24n }),
        fc.array(
          fc.record({
            contribution: fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }),
            participated: fc.nat(50),
            more: fc.nat(50),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        (pool, drawn) => {
          const members = drawn.map(({ contribution, participated, more }) =>
            member(contribution, participated, participated + more),
          );
          const amounts = multiplicativeReward(pool, members);
          assert.equal(sum(amounts), members.some(({ participated }) => participated > 0) ? pool : 0n);
          assert.ok(amounts.every((amount) => amount >= 0n));
          const back = multiplicativeReward(pool, members.toReversed()).toReversed();
          for (const [i, amount] of amounts.entries()) {
            const difference = amount - (back[i] as bigint);
            assert.ok(difference >= -1n && difference <= 1n);
          }
        },
      ),
      { seed: 51, numRuns: 10_000 },
    );
  });
  it("refuses more rounds than there were", () =>
    assert.throws(() => multiplicativeReward(1n, [member(1n, 3, 2)]), { code: "BAD_SETTLEMENT" }));
});
