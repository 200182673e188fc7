// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  adaptedClipNorm,
  clipPerTensor,
  clipToNorm,
  multiplierBesideCount,
  noisyFraction,
} from "../../src/privacy/clipNorm.ts";
import { secretStream } from "../../src/privacy/secretStream.ts";
import { modelLayout } from "../../src/protocol/layout.ts";

const LAYOUT = modelLayout([
  { name: "a", shape: [2], fractionBits: 3, group: 0 },
  { name: "b", shape: [3], fractionBits: 1, group: 0 },
]);
const UNITS = [8, 8, 2, 2, 2];
const normOf = (values: Float64Array): number => Math.hypot(...values.map((value, j) => value / (UNITS[j] as number)));

describe("clipToNorm", () => {
  it("(3, 4) to 2.5 is (1.5, 2)", () => {
    const layout = modelLayout([{ name: "w", shape: [2], fractionBits: 1, group: 0 }]);
    const values = Float64Array.of(6, 8);
    assert.equal(clipToNorm(values, layout, 2.5), 0.5);
    assert.deepEqual([...values], [3, 4]);
  });

  it("keeps to the norm and the direction, and a second time changes nothing", () => {
    const vectors = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(vectors, fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (list, clipNorm) => {
        const values = Float64Array.from(list);
        const factor = clipToNorm(values, LAYOUT, clipNorm);
        assert.ok(normOf(values) <= clipNorm * (1 + 1e-12));
        for (const [j, value] of values.entries()) assert.equal(value, (list[j] as number) * factor);
        const again = Float64Array.from(values);
        assert.ok(1 - clipToNorm(again, LAYOUT, clipNorm) < 1e-12);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it("a zero vector stays, and one that is not finite becomes zero and says so", () => {
    const zeros = new Float64Array(5);
    assert.equal(clipToNorm(zeros, LAYOUT, 1), 1);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
      const values = Float64Array.of(1, wrong, 1, 1, 1);
      assert.equal(clipToNorm(values, LAYOUT, 1), 0);
      assert.deepEqual([...values], [0, 0, 0, 0, 0]);
    }
  });

  it("per tensor: C/√L each, so that all together keep to C", () => {
    const values = Float64Array.of(800, 0, 2, 0, 0);
    assert.ok(Math.abs(clipPerTensor(values, LAYOUT, Math.SQRT2 * 2) - 2 / 100) < 1e-15);
    assert.ok(Math.abs((values[0] as number) - 16) < 1e-12);
    assert.equal(values[2], 2);
  });

  it("refuses a norm that is none", () => {
    for (const norm of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => clipToNorm(new Float64Array(5), LAYOUT, norm), { code: "BAD_CONFIG" });
  });
});

describe("adaptedClipNorm", () => {
  it("rises while too few are within, falls while too many are: C·exp(−0.2·(b − 0.5))", () => {
    const steer = { quantile: 0.5, rate: 0.2 };
    assert.equal(adaptedClipNorm(3, 0.5, steer), 3);
    assert.ok(Math.abs(adaptedClipNorm(3, 0, steer) - 3 * Math.exp(0.1)) < 1e-15);
    assert.ok(Math.abs(adaptedClipNorm(3, 1, steer) - 3 * Math.exp(-0.1)) < 1e-15);
  });

  it("finds the median of fixed norms", () => {
    const norms = [0.5, 1, 2, 4, 8];
    let clipNorm = 0.1;
    for (let t = 0; t < 300; t++) {
      const within = norms.filter((norm) => norm <= clipNorm).length / norms.length;
      clipNorm = adaptedClipNorm(clipNorm, within, { quantile: 0.5, rate: 0.2 });
    }
    assert.ok(clipNorm > 1.9 && clipNorm < 2.1, String(clipNorm));
  });

  it("the fraction that steers it has noise σ_b on the count", () => {
    const words = secretStream(new Uint8Array(32), { run: 1n, round: 1, purpose: "count" });
    const count = { within: 30, participants: 100, expected: 100 };
    const fractions = Array.from({ length: 2_000 }, () => noisyFraction(count, 5, words));
    const mean = fractions.reduce((sum, b) => sum + b, 0) / fractions.length;
    const sd = Math.sqrt(fractions.reduce((sum, b) => sum + (b - mean) ** 2, 0) / fractions.length);
    assert.ok(Math.abs(mean - 0.3) < (4 * 0.05) / Math.sqrt(2_000), String(mean));
    assert.ok(Math.abs(sd - 0.05) < 0.0035, String(sd));
  });

  it("the count takes its part of the noise: z = 1 and σ_b = 1 leave (1 − 1/4)^(-1/2)", () => {
    assert.ok(Math.abs(multiplierBesideCount(1, 1) - 1 / Math.sqrt(0.75)) < 1e-15);
    assert.throws(() => multiplierBesideCount(2, 1), /needs more than 1/);
  });
});
