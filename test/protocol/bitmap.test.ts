// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bitmapOf, bitsOf, hasBit } from "../../src/protocol/bitmap.ts";

describe("bitmaps", () => {
  it("hold a set of indices, given back in ascending order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(255)), (bits) => {
        const bitmap = bitmapOf(bits);
        assert.deepEqual(Uint32Array.from(bitsOf(bitmap)), Uint32Array.from(bits).sort());
        for (let index = 0; index < 256; index++) assert.equal(hasBit(bitmap, index), bits.includes(index));
      }),
      { seed: 26, numRuns: 60 },
    );
  });
  it("index 0 is the lowest bit, and a repeated index counts once", () => {
    assert.equal(bitmapOf([0, 2, 2]), 5n);
    assert.deepEqual(bitsOf(0n), []);
    assert.deepEqual(bitsOf(1n << 255n), [255]);
  });
});
