// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { masterMean } from "../../../src/kernels/gpu/masterMean.ts";

/** By definition, in BigInt: 2^16 · sum / count, half away from zero. */
function exact(sum: number, count: number): number {
  const [a, n] = [65_536n * BigInt(sum), BigInt(count)];
  const magnitude = a < 0n ? -a : a;
  const rounded = (2n * magnitude + n) / (2n * n);
  return Number(a < 0n ? -rounded : rounded);
}

const LARGEST = 2_048 * 16_777_215;

describe("masterMean", () => {
  it("rounds by the exact quotient, for any sum and count", () => {
    fc.assert(
      fc.property(fc.integer({ min: -LARGEST, max: LARGEST }), fc.integer({ min: 1, max: 2_048 }), (sum, count) => {
        assert.equal(masterMean(sum, count), exact(sum, count));
      }),
      { seed: 62, numRuns: 5_000 },
    );
  });

  it("is exact just beside whole quotients and halves, at the largest sums", () => {
    for (const count of [1, 2, 3, 7, 1_023, 1_024, 2_047, 2_048]) {
      for (let offset = -2 * count; offset <= 2 * count; offset++) {
        for (const sign of [-1, 1]) {
          const sum = sign * (LARGEST - 2 * 2_048 + offset);
          assert.equal(masterMean(sum, count), exact(sum, count), `${sum} / ${count}`);
        }
      }
    }
  });

  it("rounds halves away from zero, and has no −0", () => {
    // 2^16 / 131 072 is a half, were so many updates possible: 2^16 · 1/2 048 is 32, whole; thirds are never halves.
    assert.equal(masterMean(1, 3), 21_845);
    assert.equal(masterMean(-1, 3), -21_845);
    assert.equal(masterMean(2, 3), 43_691);
    assert.equal(masterMean(-2, 3), -43_691);
    assert.ok(Object.is(masterMean(0, 7), 0));
    assert.ok(Object.is(masterMean(-0, 7), 0));
  });
});
