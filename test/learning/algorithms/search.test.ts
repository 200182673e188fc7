// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tierOf } from "../../../src/learning/algorithms/resourceTier.ts";
import { searchStrength } from "../../../src/learning/algorithms/strengthSearch.ts";

describe("resource tiers of HMSDFL", () => {
  const thresholds = { high: 4, low: 2, min: 1, lowMethod: "hmsdfl" } as const;
  it("more projections for faster members, and the slowest still train", () => {
    const method = (resource: number, classes = 10) => {
      const tier = tierOf(resource, classes, thresholds);
      return tier.method === "hmsdfl" ? tier.projections : tier.method;
    };
    assert.deepEqual(
      [5, 4, 3, 2.01, 2, 1.5, 1, 0.1, Number.NaN].map((resource) => method(resource)),
      [10, 9, 6, 2, 1, 1, "standard", "standard", "standard"],
    );
    // Between the thresholds there is no room for 1 < m < C with two classes.
    assert.equal(method(3, 2), 1);
  });
  it("between min and low MSDFL may take its place", () => {
    assert.deepEqual(tierOf(1.5, 10, { ...thresholds, lowMethod: "msdfl" }), { method: "msdfl" });
  });
});

describe("two-stage search of a strength", () => {
  it("refines about the best of the coarse grid", async () => {
    // Best at 10^-3.2, parabola in log₁₀: the coarse grid finds 10^-2, its refinement 10^-3.
    const evaluate = async (strength: number) => -((Math.log10(strength) + 3.2) ** 2);
    const { strength, tried } = await searchStrength(evaluate);
    assert.ok(Math.abs(strength - 1e-3) < 1e-12);
    assert.equal(tried.length, 7);
  });
  it("a diverged run is the worst, and of equals the larger strength wins", async () => {
    const { strength, tried } = await searchStrength(async (value) => (value > 1 ? Number.NaN : 0.5));
    assert.equal(strength, 1);
    assert.equal(tried[2]?.quality, -Infinity);
  });
});
