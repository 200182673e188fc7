// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { roundedQuotient } from "../../../src/aggregation/reference/roundedQuotient.ts";

const MOST = 2 ** 52 - 1;

/** By the definition: the nearest integer, of two equally near the one farther from 0. */
function expected(a: number, n: number): number {
  const magnitude = BigInt(Math.abs(a));
  const rounded = Number((2n * magnitude + BigInt(n)) / (2n * BigInt(n)));
  return a < 0 ? 0 - rounded : rounded;
}

describe("roundedQuotient", () => {
  it("is the nearest integer, half away from zero, for any a and n within 2^52", () => {
    const integer = fc.integer({ min: -MOST, max: MOST });
    const divisor = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: MOST }));
    fc.assert(
      fc.property(integer, divisor, (a, n) => assert.equal(roundedQuotient(a, n), expected(a, n))),
      { seed: 20_261_121, numRuns: 2_000 },
    );
  });

  it("is so next to multiples and to halves, where a float64 quotient may be rounded across", () => {
    const near = fc
      .tuple(
        fc.integer({ min: 1, max: 2 ** 26 }),
        fc.integer({ min: 0, max: 2 ** 25 }),
        fc.integer({ min: -1, max: 1 }),
      )
      .chain(([n, k, by]) => fc.constantFrom(n * k + by, n * k + Math.floor(n / 2) + by).map((a) => ({ a, n })));
    fc.assert(
      fc.property(near, ({ a, n }) => {
        assert.equal(roundedQuotient(a, n), expected(a, n));
        assert.equal(roundedQuotient(-a, n), expected(-a, n));
      }),
      { seed: 20_261_121, numRuns: 2_000 },
    );
    for (const n of [1, 2, 3, 2 ** 26 + 1, MOST - 1, MOST])
      for (const a of [0, 1, -1, n - 1, n, MOST - 1, MOST, 1 - MOST, -MOST])
        assert.equal(roundedQuotient(a, n), expected(a, n), `${a} / ${n}`);
  });

  it("never gives −0", () => {
    assert.ok(Object.is(roundedQuotient(-1, 3), 0));
    assert.ok(Object.is(roundedQuotient(-0, 3), 0));
  });
});
