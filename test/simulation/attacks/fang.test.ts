// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fangKrum, largestLambda } from "../../../src/simulation/attacks/fangKrum.ts";
import { fangTrim } from "../../../src/simulation/attacks/fangTrim.ts";
import { meanOf, moments, norm, squaredDistance } from "../../../src/simulation/attacks/vectors.ts";
import { outcome } from "../../aggregation/run.ts";
import { cloud, configOf, inputOf, line } from "./fixtures.ts";

const UNIT = 2 ** 18;
/** Which update the run's own Krum chooses, on the grid, attackers last. */
const chosenByKrum = async (updates: readonly ArrayLike<number>[], byzantine: number): Promise<number> => {
  const rows = updates.map((update) => Array.from(update, (value) => Math.round(value * UNIT)));
  return (await outcome({ rule: "krum", parameters: { byzantine } }, rows)).keptAt[0] as number;
};

describe("Fang's attack on Krum", () => {
  it("bounds λ as in the paper", () => {
    // K = 5, f = 1, d = 1: Γ has two neighbours; least sum of squares 1 + 1 at 1 (or 2), over (5 − 2 − 1)·1; longest 3.
    const bound = largestLambda(line(0, 1, 2, 3), 5, 1);
    assert.ok(Math.abs(bound - (Math.sqrt(2 / 2) + 3)) < 1e-12);
  });

  it("is chosen by the run's Krum, or λ is below 1e-5", async () => {
    for (const [seed, honest, attackers, mode] of [
      [1, 8, 2, "paper"],
      [2, 8, 2, "reference"],
      [3, 12, 4, "paper"],
      [4, 5, 1, "paper"],
    ] as const) {
      const benign = cloud(seed, honest, 20, 0.05, 0.2);
      const rule = { rule: "krum", parameters: { byzantine: attackers } } as const;
      const crafted = fangKrum(configOf("fang-krum", { mode }), inputOf(benign, benign.slice(0, attackers), { rule }));
      const lambda = Math.abs(crafted[0]?.[0] as number);
      const chosen = await chosenByKrum([...benign, ...crafted], attackers);
      assert.ok(chosen >= honest || lambda < 1e-5, `λ = ${lambda}, Krum chose ${chosen} of ${honest} honest`);
      if (attackers > 1) assert.ok(lambda > 1e-3, `${mode} found only λ = ${lambda}`);
      const mean = meanOf(benign);
      for (const [j, value] of (crafted[0] as Float64Array).entries())
        assert.equal(Math.sign(value), -Math.sign(mean[j] as number));
    }
  });

  it("takes the largest λ of the halving: twice as much is not chosen, or is beyond the bound", async () => {
    const benign = cloud("largest", 10, 20, 0.3, 0.2);
    const [crafted] = fangKrum(configOf("fang-krum"), inputOf(benign, benign.slice(0, 3)));
    const doubled = (crafted as Float64Array).map((value) => 2 * value);
    assert.ok((await chosenByKrum([...benign, doubled, doubled, doubled], 3)) < 10);
  });

  it("without honest updates tries Krum on the attackers' own and more and more copies", () => {
    const own = cloud("own", 5, 20, 0.3, 0.2);
    const crafted = fangKrum(configOf("fang-krum"), { ...inputOf(own, own), knowsUpdates: false, members: 25 });
    assert.equal(crafted.length, 5);
    assert.ok(Math.abs(crafted[0]?.[0] as number) > 1e-3);
  });

  it("with noise sends updates a given distance apart", () => {
    const benign = cloud("noise", 8, 20, 0.3, 0.2);
    const [a, b, c] = fangKrum(configOf("fang-krum", { noise: 0.01 }), inputOf(benign, benign.slice(0, 3)));
    for (const other of [b, c])
      assert.ok(Math.abs(Math.sqrt(squaredDistance(a as Float64Array, other as Float64Array)) - 0.01) < 1e-9);
  });

  it("leaves coordinates alone in which the mean does not move", () => {
    const benign = [Float64Array.of(1, 1), Float64Array.of(2, -1), Float64Array.of(3, 0), Float64Array.of(2, 0)];
    const [crafted] = fangKrum(configOf("fang-krum"), inputOf(benign, benign.slice(0, 1)));
    assert.equal(crafted?.[1], -0);
    assert.ok((crafted?.[0] as number) < 0);
    assert.equal(norm(fangKrum(configOf("fang-krum"), inputOf(line(0, 0, 0), line(0)))[0] as Float64Array), 0);
  });
});

describe("Fang's attack on the trimmed mean", () => {
  const drawn = (values: number[], parameters = {}): number[] => {
    const own = Array.from({ length: 200 }, () => Float64Array.of(0));
    return fangTrim(configOf("fang-trim", parameters), inputOf(line(...values), own)).map(
      (vector) => vector[0] as number,
    );
  };
  const within = (values: number[], low: number, high: number): void => {
    assert.ok(
      Math.min(...values) >= low && Math.max(...values) <= high,
      `${Math.min(...values)} … ${Math.max(...values)}`,
    );
    assert.ok(Math.max(...values) - Math.min(...values) > 0.9 * (high - low), "the draws cover the interval");
  };

  it("draws below the minimum where the mean rises and above the maximum where it falls", () => {
    within(drawn([1, 2, 3]), 0.5, 1);
    within(drawn([-3, -2, -1]), -1, -0.5);
    within(drawn([-1, 2, 5]), -2, -1);
    within(drawn([-5, -2, 1]), 1, 2);
    within(drawn([1, 2, 3], { factor: 4 }), 0.25, 1);
  });

  it("of a mean of 0 pushes to one side", () => {
    const values = drawn([-1, 0, 1]);
    const down = (values[0] as number) < 0;
    within(values, down ? -2 : 1, down ? -1 : 2);
  });

  it("knowing only moments, lies 3 to 4 deviations off", () => {
    within(drawn([1, 2, 3], { beyond: "moments" }), -2, -1);
    within(drawn([-3, -2, -1], { beyond: "moments" }), 1, 2);
    const own = line(1, 2, 3);
    const { mean, deviation } = moments(own);
    for (const [value] of fangTrim(configOf("fang-trim"), { ...inputOf(own, own), knowsUpdates: false })) {
      const off = ((mean[0] as number) - (value as number)) / (deviation[0] as number);
      assert.ok(off >= 3 && off <= 4);
    }
  });

  it("draws for each attacker anew", () => {
    assert.ok(new Set(drawn([1, 2, 3])).size > 190);
  });
});
