// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  INITIAL_MASTER_LIMIT,
  isMasterValue,
  joinMaster,
  MASTER_LIMIT,
  MASTER_MIN,
  masterDistanceSq,
  masterFromFloat,
  powerOfTwo,
  splitMaster,
  viewOf,
} from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";

const offGrid = { code: "OFF_GRID" };
const layoutOf = (size: number, fractionBits = 0) =>
  modelLayout([{ name: "w", shape: [size], fractionBits, group: 0 }]);
/** Two tensors with different F, the second the finer. */
const MIXED = modelLayout([
  { name: "a", shape: [3], fractionBits: 5, group: 0 },
  { name: "b", shape: [2], fractionBits: 24, group: 0 },
]);
const masterValue = fc.oneof(
  fc.integer({ min: MASTER_MIN, max: MASTER_LIMIT - 1 }),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.constantFrom(MASTER_MIN, MASTER_LIMIT - 1, -32_768, -32_769, 32_767, 32_768),
);
const master = fc
  .array(masterValue, { minLength: 5, maxLength: 5 })
  .map((values) => Float64Array.from(values, (m) => m + 0));

describe("the range of a master model", () => {
  it("is −2^40 ≤ m < 2^40 − 2^15", () => {
    assert.equal(BigInt(MASTER_MIN), -(1n << 40n));
    assert.equal(BigInt(MASTER_LIMIT), (1n << 40n) - (1n << 15n));
    assert.ok(isMasterValue(MASTER_MIN) && isMasterValue(MASTER_LIMIT - 1) && isMasterValue(0));
    for (const m of [
      MASTER_MIN - 1,
      MASTER_LIMIT,
      0.5,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ])
      assert.ok(!isMasterValue(m), `${m}`);
  });
  it("fits 24 bits of view and 16 of remainder at both ends", () => {
    const { view, remainder } = splitMaster(Float64Array.of(MASTER_MIN, MASTER_LIMIT - 1), layoutOf(2));
    assert.deepEqual([...view], [-16_777_216, 16_777_215]);
    assert.deepEqual([...remainder], [0, 32_767]);
  });
  for (const m of [MASTER_MIN - 1, MASTER_LIMIT, -0, 0.5, Number.NaN]) {
    it(`splitMaster refuses ${Object.is(m, -0) ? "−0" : m} and names the coordinate`, () => {
      assert.throws(() => splitMaster(Float64Array.of(0, m), layoutOf(2)), { ...offGrid, message: /w\[1\]/ });
    });
  }
});

describe("splitMaster", () => {
  for (const [m, view, remainder] of [
    [0, 0, 0],
    [32_767, 0, 32_767],
    [32_768, 1, -32_768],
    [-1, 0, -1],
    [-32_768, 0, -32_768],
    [-32_769, -1, 32_767],
    [65_536, 1, 0],
    [-65_536, -1, 0],
    [98_304, 2, -32_768],
    [-98_304, -1, -32_768],
  ] as const) {
    it(`${m} is view ${view}, remainder ${remainder}`, () => {
      assert.equal(viewOf(m) + 0, view);
      const parts = splitMaster(Float64Array.of(m), layoutOf(1));
      // Object.is tells −0 from 0, which the file's bytes do too.
      assert.ok(Object.is(parts.view[0], view), `${parts.view[0]}`);
      assert.equal(parts.remainder[0], remainder);
      assert.ok(Object.is(joinMaster(parts.view, parts.remainder, layoutOf(1))[0], m));
    });
  }
  it("places the view on 2^-F", () => {
    assert.equal(splitMaster(Float64Array.of(3 * 65_536), layoutOf(1, 24)).view[0], 3 / 16_777_216);
  });
  it("is undone by joinMaster, and −0 appears nowhere", () => {
    fc.assert(
      fc.property(master, (values) => {
        const { view, remainder } = splitMaster(values, MIXED);
        assert.ok(view.every((value) => Number.isFinite(value) && !Object.is(value, -0)));
        const back = joinMaster(view, remainder, MIXED);
        assert.ok(
          back.every((m, j) => Object.is(m, values[j])),
          `${values} became ${back}`,
        );
      }),
      { seed: 23, numRuns: 500 },
    );
  });
});

describe("joinMaster", () => {
  for (const [what, view, remainder] of [
    ["a view of −0", -0, 0],
    ["a view of −0 with a remainder", -0, 5],
    ["a NaN view", Number.NaN, 0],
    ["an infinite view", Number.POSITIVE_INFINITY, 0],
    ["a view between grid points", 0.015_625, 0],
    ["a view above the range", 524_288, 0],
    ["a view below the range", -524_320, 0],
    ["a remainder that leads below the range", -524_288, -1],
  ] as const) {
    it(`refuses ${what}`, () => {
      // The tensor "a" has F = 5: its grid is 1/32 and its range ±2^19.
      const views = new Float32Array(5);
      const remainders = new Int16Array(5);
      views[1] = view;
      remainders[1] = remainder;
      assert.throws(() => joinMaster(views, remainders, MIXED), { ...offGrid, message: /a\[1\]/ });
    });
  }
});

describe("masterFromFloat", () => {
  it("rounds half up on 2^-F, with no remainder and no −0", () => {
    const from = Float32Array.of(0.5, -0.5, 1.25, -1.5, -0, -0.25, 1.5);
    const values = masterFromFloat(from, layoutOf(from.length));
    assert.deepEqual([...values], [65_536, 0, 65_536, -65_536, 0, 0, 131_072]);
  });
  it("refuses another number of parameters", () => {
    assert.throws(() => masterFromFloat(new Float32Array(4), MIXED), offGrid);
  });
  it("leaves room to move: |m| < 2^38", () => {
    assert.equal(INITIAL_MASTER_LIMIT, 274_877_906_944);
    const edge = INITIAL_MASTER_LIMIT / 65_536;
    assert.equal(masterFromFloat(Float32Array.of(edge - 1), layoutOf(1))[0], INITIAL_MASTER_LIMIT - 65_536);
    for (const value of [edge, -edge, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => masterFromFloat(Float32Array.of(value), layoutOf(1)), offGrid, `${value}`);
  });
});

describe("masterDistanceSq", () => {
  it("equals the same sum in integers, with coarse tensors scaled to the finest", () => {
    fc.assert(
      fc.property(master, master, (a, b) => {
        const square = (j: number) => (BigInt(a[j] as number) - BigInt(b[j] as number)) ** 2n;
        // 4^(24−5) = 2^38 for the first tensor.
        const expected = (square(0) + square(1) + square(2)) * 2n ** 38n + square(3) + square(4);
        assert.equal(masterDistanceSq(a, b, MIXED), expected);
        assert.equal(masterDistanceSq(b, a, MIXED), expected);
      }),
      { seed: 24, numRuns: 300 },
    );
  });
  it("is 0 only between equal models", () => {
    const a = Float64Array.of(1, 2, 3, 4, 5);
    assert.equal(masterDistanceSq(a, a.slice(), MIXED), 0n);
    assert.equal(masterDistanceSq(a, Float64Array.of(1, 2, 3, 4, 6), MIXED), 1n);
    assert.equal(masterDistanceSq(a, Float64Array.of(0, 2, 3, 4, 5), MIXED), 1n << 38n);
  });
  it("is exact where doubles are not", () => {
    const span = (1n << 41n) - (1n << 15n) - 1n;
    assert.equal(
      masterDistanceSq(Float64Array.of(MASTER_MIN), Float64Array.of(MASTER_LIMIT - 1), layoutOf(1)),
      span * span,
    );
  });
});

describe("powerOfTwo", () => {
  it("is the double with that exponent", () => {
    for (const exponent of [0, 1, -1, 24, -24, 40, 1000, -1000]) assert.equal(powerOfTwo(exponent), 2 ** exponent);
  });
});
