// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { inRunShapley, productsOnGrid } from "../../src/incentives/inRunShapley.ts";
import { exactShapley } from "../../src/incentives/shapley.ts";
import { total } from "./games.ts";

const HALF = 32_768;

describe("in-run Shapley values", () => {
  it("first order by hand: half of an update against the gradient takes half of their product away", () => {
    // ⟨g, Δ⟩ = (−3, 1, 0) nats.
    const scores = inRunShapley({
      weights: Uint32Array.of(HALF, HALF / 2, HALF / 2),
      groups: 1,
      gradientProducts: [-3n << 10n, 1n << 10n, 0n],
      fractionBits: 10,
    });
    assert.deepEqual(scores, [1.5 * 1_048_576, -0.25 * 1_048_576, 0]);
  });

  it("second order by hand: the curvature along the movement is taken off", () => {
    // ⟨g, Δ⟩ = −3 and ⟨HΔ̄, Δ⟩ = 2 nats with λ = ½: ½·3 − ½·½·2.
    const scores = inRunShapley({
      weights: Uint32Array.of(HALF),
      groups: 1,
      gradientProducts: [-3n],
      curvatureProducts: [2n],
      fractionBits: 0,
    });
    assert.deepEqual(scores, [1_048_576]);
  });

  it("adds tensor groups up, each with its own weight", () => {
    const scores = inRunShapley({
      weights: Uint32Array.of(65_536, HALF, 0, HALF),
      groups: 2,
      gradientProducts: [-2n, -4n, -100n, -6n],
      fractionBits: 1,
    });
    assert.deepEqual(scores, [2 * 1_048_576, 1.5 * 1_048_576]);
  });

  it("is the exact Shapley value of a quadratic loss whose coalitions keep their weights, whatever gradient and Hessian", async () => {
    const value = fc.integer({ min: -9, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(value, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 5 }),
        fc.array(value, { minLength: 5, maxLength: 5 }),
        async (updates, [g0, g1, h0, h1, h2]) => {
          const g = [g0, g1] as [number, number];
          const times = ([x, y]: number[]): number[] => [
            (h0 as number) * (x as number) + (h1 as number) * (y as number),
            (h1 as number) * (x as number) + (h2 as number) * (y as number),
          ];
          const dot = (a: number[], b: number[]): number =>
            (a[0] as number) * (b[0] as number) + (a[1] as number) * (b[1] as number);
          // λ = ⅛ each, so that everything is a whole number of 2^-7 nats.
          const movement = (rows: number[][]): number[] =>
            [0, 1].map((j) => rows.reduce((sum, row) => sum + (row[j] as number), 0) / 8);
          const loss = (rows: number[][]): number =>
            dot(g, movement(rows)) + dot(movement(rows), times(movement(rows))) / 2;
          const exact = await exactShapley(updates.length, async (coalition) =>
            Math.floor(-loss(updates.filter((_, i) => (coalition >> BigInt(i)) & 1n)) * 1_048_576),
          );
          const curvature = times(movement(updates));
          const scores = inRunShapley({
            weights: new Uint32Array(updates.length).fill(8_192),
            groups: 1,
            gradientProducts: updates.map((row) => BigInt(dot(g, row)) << 3n),
            curvatureProducts: updates.map((row) => BigInt(8 * dot(curvature, row))),
            fractionBits: 3,
          });
          assert.deepEqual(scores, exact);
          const missing = -loss(updates) * 1_048_576 - total(scores);
          assert.ok(missing >= 0 && missing < updates.length);
        },
      ),
      { seed: 41, numRuns: 60 },
    );
  });

  it("an update of zeros scores 0, equal ones alike, and scores saturate", () => {
    const scores = inRunShapley({
      weights: Uint32Array.of(HALF, 100, 100, HALF),
      groups: 1,
      gradientProducts: [0n, 7n, 7n, -(1n << 40n)],
      fractionBits: 0,
    });
    assert.equal(scores[0], 0);
    assert.equal(scores[1], scores[2]);
    assert.equal(scores[3], 2_147_483_647);
  });

  it("refuses products that do not belong to the weights", () => {
    const weights = Uint32Array.of(1, 2);
    assert.throws(() => inRunShapley({ weights, groups: 1, gradientProducts: [1n], fractionBits: 0 }), {
      code: "BAD_SCORING",
    });
    assert.throws(
      () => inRunShapley({ weights, groups: 1, gradientProducts: [1n, 2n], curvatureProducts: [1n], fractionBits: 0 }),
      { code: "BAD_SCORING" },
    );
  });

  it("takes floats on a grid, rounded half away from zero, and none that is not finite", () => {
    assert.deepEqual(productsOnGrid([0.5, -0.5, 2 ** -5, -0.34375], 4), [8n, -8n, 1n, -6n]);
    assert.throws(() => productsOnGrid([Number.NaN], 4), { code: "BAD_SCORING" });
    assert.throws(() => productsOnGrid([Number.POSITIVE_INFINITY], 4), { code: "BAD_SCORING" });
  });
});
