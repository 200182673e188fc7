// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { minMax, minSum } from "../../../src/simulation/attacks/minMax.ts";
import { addScaled, meanOf, squaredDistance, squaredDistances } from "../../../src/simulation/attacks/vectors.ts";
import { cloud, configOf, inputOf, line } from "./fixtures.ts";

const only = (crafted: readonly ArrayLike<number>[]): Float64Array => crafted[0] as Float64Array;
const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}`);

describe("Min-Max and Min-Sum", () => {
  it("of benign (0, 1, 2): γ = 1 for Min-Max, 1 for Min-Sum, 0 for its stricter bound", () => {
    near(only(minMax(configOf("min-max"), inputOf(line(0, 1, 2), line(1))))[0] as number, 0);
    near(only(minSum(configOf("min-sum"), inputOf(line(0, 1, 2), line(1))))[0] as number, 0);
    near(only(minSum(configOf("min-sum", { bound: "min" }), inputOf(line(0, 1, 2), line(1))))[0] as number, 1);
  });

  it("find the γ of the published search by halved steps", () => {
    const benign = cloud("search", 7, 5, 0.5, 2);
    const mean = meanOf(benign);
    const bound = Math.max(...squaredDistances(benign).flat());
    const direction = mean.map((value) => -Math.sign(value));
    let [gamma, step, found] = [10, 5, 0];
    while (Math.abs(found - gamma) > 1e-5) {
      const candidate = addScaled(mean, gamma, direction);
      if (benign.every((update) => squaredDistance(candidate, update) <= bound)) {
        found = gamma;
        gamma += step;
      } else gamma -= step;
      step /= 2;
    }
    const crafted = only(minMax(configOf("min-max", { direction: "sgn" }), inputOf(benign, benign.slice(0, 1))));
    const solved = ((crafted[0] as number) - (mean[0] as number)) / (direction[0] as number);
    assert.ok(Math.abs(solved - found) < 2e-5, `${solved}, the search gives ${found}`);
  });

  it("satisfy their constraint, and hardly more would not", () => {
    const directions = fc.constantFrom("uv", "std", "sgn");
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), directions, fc.nat(), (count, direction, seed) => {
        const benign = cloud(seed, count, 6, 1, 2);
        const mean = meanOf(benign);
        const distances = squaredDistances(benign);
        const sums = distances.map((row) => row.reduce((a, b) => a + b, 0));
        const own = benign.slice(0, 1);
        const furthest = (point: Float64Array): number =>
          Math.max(...benign.map((update) => squaredDistance(point, update)));
        const total = (point: Float64Array): number =>
          benign.reduce((sum, update) => sum + squaredDistance(point, update), 0);
        const cases = [
          [
            only(minMax(configOf("min-max", { direction }), inputOf(benign, own))),
            furthest,
            Math.max(...distances.flat()),
          ],
          [only(minSum(configOf("min-sum", { direction }), inputOf(benign, own))), total, Math.max(...sums)],
          [
            only(minSum(configOf("min-sum", { direction, bound: "min" }), inputOf(benign, own))),
            total,
            Math.min(...sums),
          ],
        ] as const;
        for (const [crafted, measure, bound] of cases) {
          assert.ok(measure(crafted) <= bound * (1 + 1e-9), `${measure(crafted)} above ${bound}`);
          // One thousandth further out along the same direction breaks it.
          const beyond = addScaled(mean, 1.001, addScaled(crafted, -1, mean));
          assert.ok(
            squaredDistance(crafted, mean) < 1e-12 || measure(beyond) > bound,
            `${measure(beyond)} could go further, bound ${bound}`,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it("send the mean when there is nothing to hide in", () => {
    const same = line(3, 3, 3);
    near(only(minMax(configOf("min-max"), inputOf(same, same)))[0] as number, 3);
    near(only(minSum(configOf("min-sum", { direction: "uv" }), inputOf(line(0, 0), line(0))))[0] as number, 0);
  });
});
