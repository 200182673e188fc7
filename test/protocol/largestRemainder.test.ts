// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { apportion } from "../../src/protocol/largestRemainder.ts";

describe("apportion", () => {
  it("by hand: 1000 by (50, 15, 0) is (769, 231, 0)", () => {
    // 769 r 15 and 230 r 50: the missing unit goes to the second.
    assert.deepEqual(apportion(1000n, [50n, 15n, 0n]), {
      amounts: [769n, 231n, 0n],
      cutOff: { remainder: 50n, index: 1 },
    });
  });

  it("ties go to the lowest index: 10 by three equal shares is (4, 3, 3)", () => {
    assert.deepEqual(apportion(10n, [1n, 1n, 1n]), { amounts: [4n, 3n, 3n], cutOff: { remainder: 1n, index: 0 } });
  });

  it("adds up, stays within one unit of the quota, gives a share of 0 nothing, and its cut-off reproduces it", () => {
    const shares = fc
      .array(fc.bigInt(0n, 1n << 70n), { minLength: 1, maxLength: 40 })
      .filter((all) => all.some((one) => one > 0n));
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 90n), shares, (total, all) => {
        const sum = all.reduce((s, one) => s + one, 0n);
        const { amounts, cutOff } = apportion(total, all);
        assert.equal(
          amounts.reduce((s, one) => s + one, 0n),
          total,
        );
        for (const [i, share] of all.entries()) {
          const remainder = (total * share) % sum;
          const extra = remainder > cutOff.remainder || (remainder === cutOff.remainder && i <= cutOff.index);
          assert.equal(amounts[i], (total * share) / sum + (extra ? 1n : 0n));
          if (share === 0n) assert.equal(amounts[i], 0n);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("refuses negative shares and having nothing to split by", () => {
    assert.throws(() => apportion(1n, [1n, -1n, 5n]), /Share 1 is -1/);
    assert.throws(() => apportion(1n, [0n, 0n]), /sum to 0/);
    assert.throws(() => apportion(1n, []), /0 shares/);
    assert.throws(() => apportion(-1n, [1n]), /-1 units/);
  });
});
