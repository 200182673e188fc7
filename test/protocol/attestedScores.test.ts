// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  lowerMedian,
  mediansOf,
  revealsNeeded,
  type ScorePlace,
  scoreSalt,
} from "../../src/protocol/attestedScores.ts";
import { utf8 } from "../../src/protocol/bytes.ts";
import { toleratedFaults } from "../../src/protocol/quorum.ts";

const SEED = { seed: 20_611 };

// Commitments and medians are shared vectors (test/contracts/vectors.test.ts); here is what they must satisfy.
describe("scoreSalt", () => {
  const place: ScorePlace = { chainId: 1n, rewards: `0x${"11".repeat(20)}`, run: 2n, round: 3, validatorIndex: 1 };
  it("is made again from the same secret and place", () => {
    assert.equal(scoreSalt(utf8("secret"), place), scoreSalt(utf8("secret"), { ...place }));
  });
  it("is another for every secret, chain, contract, run, round and validator", () => {
    const salts = [
      scoreSalt(utf8("secret"), place),
      scoreSalt(utf8("Secret"), place),
      scoreSalt(utf8("secret"), { ...place, chainId: 2n }),
      scoreSalt(utf8("secret"), { ...place, rewards: `0x${"12".repeat(20)}` }),
      scoreSalt(utf8("secret"), { ...place, run: 3n }),
      scoreSalt(utf8("secret"), { ...place, round: 4 }),
      scoreSalt(utf8("secret"), { ...place, validatorIndex: 2 }),
    ];
    assert.equal(new Set(salts).size, salts.length);
  });
});

describe("lowerMedian", () => {
  it("by hand: the middle one, of two in the middle the lower", () => {
    for (const [numbers, median] of [
      [[5], 5],
      [[7, -5], -5],
      [[3, 1, 2], 2],
      [[40, 1, 3, 2], 2],
      [[9, 9, -1, -1, 4, 3], 3],
    ] as const)
      assert.equal(lowerMedian(numbers), median, numbers.join(" "));
    assert.throws(() => lowerMedian([]), RangeError);
  });
});

describe("mediansOf", () => {
  const int32 = fc.integer({ min: -2_147_483_648, max: 2_147_483_647 });

  it("f liars among 2f+1 or more reveals move a score no further than to an honest one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32 }), fc.infiniteStream(int32), fc.nat(), (n, numbers, extra) => {
        const f = toleratedFaults(n);
        const reveals = revealsNeeded(n) + (extra % (n - revealsNeeded(n) + 1));
        const drawn = [...numbers.take(reveals)];
        const [liars, honest] = [drawn.slice(0, f), drawn.slice(f)];
        const median = lowerMedian([...liars, ...honest]);
        assert.ok(median >= Math.min(...honest) && median <= Math.max(...honest), `${liars} among ${honest}`);
      }),
      SEED,
    );
  });

  it("gives 0 to all with one reveal too few, and not with enough", () => {
    for (let n = 1; n <= 32; n++) {
      const needed = revealsNeeded(n);
      assert.ok(needed >= 1 && needed <= n);
      const reveals = Array.from({ length: needed }, () => [5, -6]);
      assert.deepEqual(mediansOf(reveals, 2, n), [5, -6]);
      assert.deepEqual(mediansOf(reveals.slice(1), 2, n), [0, 0]);
    }
  });

  it("takes each update's median by itself", () => {
    const reveals = [
      [1, 30, -5],
      [2, 10, -6],
      [3, 20, -7],
    ];
    assert.deepEqual(mediansOf(reveals, 3, 4), [2, 20, -6]);
    assert.deepEqual(mediansOf([[], [], []], 0, 4), []);
  });
});
