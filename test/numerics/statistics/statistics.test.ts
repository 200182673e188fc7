// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { oneWayAnova, twoWayAnova } from "../../../src/numerics/statistics/anova.ts";
import { cohenD, cohenDz, hedgesG } from "../../../src/numerics/statistics/effectSize.ts";
import { holm } from "../../../src/numerics/statistics/holm.ts";
import { mean, summarise } from "../../../src/numerics/statistics/moments.ts";
import { pairedT, studentQuantile } from "../../../src/numerics/statistics/pairedT.ts";

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);
const X = [0.82, 0.8, 0.83];
const Y = [0.78, 0.79, 0.8];

describe("summary", () => {
  it("divides by n − 1 for the deviation, and again by √n for the error", () => {
    const { n, mean: centre, standardDeviation, standardError } = summarise([2, 4, 4, 4, 5, 5, 7, 9]);
    assert.deepEqual([n, centre], [8, 5]);
    near(standardDeviation, Math.sqrt(32 / 7), 1e-15);
    near(standardError, Math.sqrt(4 / 7), 1e-15);
    assert.ok(Number.isNaN(summarise([1]).standardDeviation));
    assert.throws(() => mean([]), /no mean/);
  });
});

describe("paired t", () => {
  it("matches the specification", () => {
    const { t, degreesOfFreedom, p, n } = pairedT(X, Y);
    assert.deepEqual([n, degreesOfFreedom], [3, 2]);
    near(t, 3.023716, 5e-7);
    near(p, 0.0941784, 5e-8);
    near(studentQuantile(0.975, 4), 2.776445, 5e-7);
  });

  it("knows p where all differences are equal", () => {
    assert.equal(pairedT([1, 2], [1, 2]).p, 1);
    assert.deepEqual(pairedT([2, 3], [1, 2]), { n: 2, difference: 1, t: Infinity, degreesOfFreedom: 1, p: 0 });
  });

  it("refuses one pair or unequal lengths", () => {
    assert.throws(() => pairedT([1], [2]), /two or more pairs/);
    assert.throws(() => pairedT([1, 2], [2]), /two or more pairs/);
    assert.throws(() => studentQuantile(0.2, 3), /upper quantile/);
  });
});

describe("analysis of variance", () => {
  it("matches the specification", () => {
    const { f, p, degreesOfFreedom, n } = oneWayAnova([Y, X, [0.75, 0.76, 0.77]]);
    near(f, 16.692308, 5e-7);
    near(p, 0.00353569, 5e-9);
    assert.deepEqual([n, degreesOfFreedom], [9, [2, 6]]);
  });

  it("with two methods and blocks is the paired t: F = t²", () => {
    const { f, p, degreesOfFreedom } = twoWayAnova([X, Y]);
    const paired = pairedT(X, Y);
    near(f, paired.t ** 2, 1e-9);
    near(p, paired.p, 1e-12);
    assert.deepEqual(degreesOfFreedom, [1, 2]);
  });

  it("with blocks finds what differences between blocks hide", () => {
    const rows = [
      [1, 11, 21],
      [2, 12.1, 22],
      [3, 13, 23.1],
    ];
    assert.ok(oneWayAnova(rows).p > 0.9);
    assert.ok(twoWayAnova(rows).p < 1e-4);
  });

  it("knows p where nothing varies within, and refuses what has no answer", () => {
    assert.equal(
      oneWayAnova([
        [1, 1],
        [1, 1],
      ]).p,
      1,
    );
    assert.deepEqual(
      oneWayAnova([
        [1, 1],
        [2, 2],
      ]),
      { n: 4, f: Infinity, degreesOfFreedom: [1, 2], p: 0 },
    );
    assert.throws(() => oneWayAnova([[1], [2]]), /more values than groups/);
    assert.throws(() => twoWayAnova([[1, 2], [1]]), /every block/);
  });
});

describe("effect sizes", () => {
  it("match the specification", () => {
    near(cohenD(X, Y), 2.065591, 5e-7);
    near(hedgesG(X, Y), 1.652473, 5e-7);
    near(cohenDz(X, Y), 1.745743, 5e-7);
  });
});

describe("what only rounding tells apart does not vary", () => {
  /** Five accuracies in thousandths. */
  const row = fc.array(
    fc.integer({ min: 1, max: 1000 }).map((value) => value / 1000),
    { minLength: 5, maxLength: 5 },
  );

  it("the same row three times makes no difference, however it was drawn", () => {
    const reported = [0.885, 0.709, 0.784, 0.737, 0.864];
    fc.assert(
      fc.property(row, (values) => {
        const { f, p } = twoWayAnova([values, values, values]);
        assert.deepEqual([f, p], [0, 1]);
        const oneWay = oneWayAnova([values, values.toReversed(), values]);
        assert.deepEqual([oneWay.f, oneWay.p], [0, 1]);
        const { t, p: paired, difference } = pairedT(values, values);
        assert.deepEqual([t, paired, difference], [0, 1, 0]);
      }),
      { seed: 7, numRuns: 2000, examples: [[reported]] },
    );
  });

  it("a constant has no deviation, and neither have as many of them as there are members", () => {
    for (const n of [3, 5, 1000, 100_000])
      for (const value of [0.1, 0.7, 1 / 3, 1e-9, 1e9])
        assert.equal(summarise(new Float64Array(n).fill(value)).standardDeviation, 0, `${n} × ${value}`);
    for (const value of [0.1, 0.3, 0.7]) {
      const cells = Array.from({ length: 3 }, () => [value, value, value, value, value]);
      assert.deepEqual([oneWayAnova(cells).f, oneWayAnova(cells).p], [0, 1]);
      assert.deepEqual([twoWayAnova(cells).f, twoWayAnova(cells).p], [0, 1]);
    }
  });

  it("a constant above another, or above every block, is an infinite effect with p = 0", () => {
    const [low, high] = [
      [0.1, 0.1, 0.1],
      [0.2, 0.2, 0.2],
    ] as const;
    assert.equal(cohenD(low, high), -Infinity);
    assert.equal(hedgesG(high, low), Infinity);
    assert.equal(cohenDz(low, high), -Infinity);
    assert.deepEqual([oneWayAnova([low, high]).f, oneWayAnova([low, high]).p], [Infinity, 0]);
    fc.assert(
      fc.property(row, fc.integer({ min: 1, max: 1000 }), (values, by) => {
        const more = values.map((value) => value + by / 1000);
        assert.deepEqual([pairedT(more, values).t, pairedT(more, values).p], [Infinity, 0]);
        assert.equal(cohenDz(values, more), -Infinity);
        const { f, p } = twoWayAnova([values, more, values]);
        assert.deepEqual([f, p], [Infinity, 0]);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  it("two equal constants have no effect size, also where their numbers differ", () => {
    assert.ok(Number.isNaN(cohenD([0.1, 0.1, 0.1], [0.1, 0.1])));
    assert.ok(Number.isNaN(cohenDz([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])));
  });

  it("the least that an accuracy can differ by is no rounding", () => {
    const step = 1e-9;
    const values = [0.885, 0.709, 0.784, 0.737, 0.864];
    const alternating = values.map((value, i) => value + (i % 2 === 0 ? step : -step));
    assert.ok(cohenDz(alternating, values) < 1);
    assert.ok(twoWayAnova([values, alternating]).p < 1);
    near(Math.log10(summarise([0.5, 0.5 + step]).standardDeviation), Math.log10(step / Math.SQRT2), 1e-6);
  });
});

describe("Holm", () => {
  it("multiplies by what is left to test and never falls", () => {
    assert.deepEqual(
      holm([0.01, 0.04, 0.03, 0.005]).map((p) => Math.round(p * 1e9) / 1e9),
      [0.03, 0.06, 0.06, 0.02],
    );
    assert.deepEqual(holm([0.9, 0.8]), [1, 1]);
    assert.deepEqual(holm([]), []);
  });

  it("is never below the raw value, keeps their order, and the smallest is Bonferroni's", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }), (raw) => {
        const adjusted = holm(raw);
        for (const [i, p] of raw.entries()) {
          assert.ok((adjusted[i] as number) >= p);
          for (const [j, q] of raw.entries()) if (p < q) assert.ok((adjusted[i] as number) <= (adjusted[j] as number));
        }
        assert.equal(Math.min(...adjusted), Math.min(1, raw.length * Math.min(...raw)));
      }),
    );
  });
});
