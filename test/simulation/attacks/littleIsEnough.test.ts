// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { largestLeeway, leewayOf, littleIsEnough } from "../../../src/simulation/attacks/littleIsEnough.ts";
import { moments } from "../../../src/simulation/attacks/vectors.ts";
import { cloud, configOf, inputOf, line } from "./fixtures.ts";

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);

describe("a little is enough", () => {
  it("has the z of the formula", () => {
    const rows = [
      [50, 10, 0.253347],
      [100, 20, 0.285841],
      [20, 6, 0.366106],
      [50, 24, 1.426077],
      [10, 2, 0],
      [50, 5, 0.083652],
      // A majority of attackers needs no supporters: the quantile is capped.
      [10, 6, 3.090232],
      [10, 8, 3.090232],
    ] as const;
    for (const [members, attackers, z] of rows) near(largestLeeway(members, attackers), z, 5e-7);
  });

  it("has the z of Doc2's code, which the formula does not give", () => {
    const listed = [3, 5, 8, 10, 12].map((attackers) => leewayOf("table", 50, attackers));
    assert.deepEqual(listed, [0.69847, 0.7054, 0.71904, 0.72575, 0.73891]);
    assert.throws(() => leewayOf("table", 50, 4), /3, 5, 8, 10, 12/);
  });

  it("of benign (1, 2, 3) and z = .2533471 sends 2 − .2533", () => {
    const [a, b] = littleIsEnough(configOf("lie", { z: 0.2533471 }), inputOf(line(1, 2, 3), line(2, 2)));
    near((a as Float64Array)[0] as number, 1.746653, 5e-7);
    assert.equal(a, b);
    const [up] = littleIsEnough(configOf("lie", { z: 0.2533471, sign: 1 }), inputOf(line(1, 2, 3), line(2)));
    near((up as Float64Array)[0] as number, 2.253347, 5e-7);
  });

  it("knowing one update only, sends it", () => {
    assert.deepEqual(
      [...(littleIsEnough(configOf("lie", { z: 1.5 }), inputOf(line(7), line(7)))[0] as Float64Array)],
      [7],
    );
  });

  it("stays within zσ of the mean in every coordinate", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 9 }),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.nat(),
        (count, z, seed) => {
          const benign = cloud(seed, count, 6, 2, 3);
          const { mean, deviation } = moments(benign);
          const [crafted] = littleIsEnough(configOf("lie", { z }), inputOf(benign, benign.slice(0, 2)));
          for (let j = 0; j < 6; j++)
            assert.ok(
              Math.abs((crafted?.[j] as number) - (mean[j] as number)) <=
                z * (deviation[j] as number) * (1 + 1e-12) + 1e-12,
            );
        },
      ),
      { numRuns: 50 },
    );
  });
});
