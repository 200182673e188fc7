// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { copycat } from "../../../src/simulation/attacks/copycat.ts";
import { freeRider } from "../../../src/simulation/attacks/freeRider.ts";
import { gaussianNoise } from "../../../src/simulation/attacks/gaussianNoise.ts";
import { negation } from "../../../src/simulation/attacks/negation.ts";
import { replay } from "../../../src/simulation/attacks/replay.ts";
import { reportInflation } from "../../../src/simulation/attacks/reportInflation.ts";
import { scaling } from "../../../src/simulation/attacks/scaling.ts";
import { sybil } from "../../../src/simulation/attacks/sybil.ts";
import { norm, squaredDistance } from "../../../src/simulation/attacks/vectors.ts";
import { weightCorruption } from "../../../src/simulation/attacks/weightCorruption.ts";
import { cloud, configOf, inputOf, line } from "./fixtures.ts";

const values = (vectors: readonly ArrayLike<number>[]): number[][] => vectors.map((vector) => Array.from(vector));
const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);

describe("negation", () => {
  it("of (1, −2) is (−1, 2), times the scale", () => {
    const own = [Float64Array.of(1, -2)];
    assert.deepEqual(values(negation(configOf("negation"), inputOf(cloud("n", 3, 2), own))), [[-1, 2]]);
    assert.deepEqual(values(negation(configOf("negation", { scale: 4 }), inputOf(cloud("n", 3, 2), own))), [[-4, 8]]);
  });

  it("of the mean is the same for all attackers", () => {
    const crafted = negation(configOf("negation", { of: "mean", scale: 2 }), inputOf(line(1, 2, 6), line(9, 9)));
    assert.deepEqual(values(crafted), [[-6], [-6]]);
  });
});

describe("gaussian noise", () => {
  const update = new Float64Array(10_000).fill(3);
  const spread = (crafted: ArrayLike<number>, centre: number): number =>
    Math.sqrt(Array.from(crafted, (value) => (value - centre) ** 2).reduce((a, b) => a + b) / crafted.length);

  it("has deviation σ around the update, or around nothing", () => {
    const [added] = gaussianNoise(configOf("gaussian-noise", { deviation: 2 }), inputOf([update], [update]));
    near(spread(added as Float64Array, 3), 2, 0.06);
    const [alone] = gaussianNoise(
      configOf("gaussian-noise", { deviation: 2, replace: true }),
      inputOf([update], [update]),
    );
    near(spread(alone as Float64Array, 0), 2, 0.06);
  });

  it("relative to the update's length: σ‖Δ‖/√d, here 2·3", () => {
    const [crafted] = gaussianNoise(
      configOf("gaussian-noise", { deviation: 2, relative: true }),
      inputOf([update], [update]),
    );
    near(spread(crafted as Float64Array, 3), 6, 0.18);
  });

  it("differs between attackers", () => {
    const [a, b] = gaussianNoise(configOf("gaussian-noise"), inputOf([update], [update, update]));
    assert.notDeepEqual(a, b);
  });
});

describe("weight corruption", () => {
  it("changes ⌊share·d⌋ coordinates of the model, and nothing else", () => {
    const [own] = cloud("corruption", 1, 107) as [Float64Array];
    const received = cloud("model", 1, 107)[0] as Float64Array;
    for (const by of ["noise", "sign"]) {
      const [crafted] = weightCorruption(configOf("weight-corruption", { by }), inputOf([own], [own], { received }));
      const changed = own.keys().filter((j) => own[j] !== crafted?.[j]);
      assert.equal([...changed].length, 32);
    }
  });

  it("by sign turns w = w^t + Δ into −w", () => {
    const config = configOf("weight-corruption", { by: "sign", share: 1 });
    const [crafted] = weightCorruption(config, inputOf(line(1), line(1), { received: Float64Array.of(4) }));
    assert.equal((crafted as Float64Array)[0], -9);
  });

  it("by noise draws weights with the deviation of the model's", () => {
    const received = cloud("model", 1, 20_000, 0, 5)[0] as Float64Array;
    const own = new Float64Array(20_000);
    const config = configOf("weight-corruption", { share: 1 });
    const [crafted] = weightCorruption(config, inputOf([own], [own], { received }));
    const weights = received.map((value, j) => value + (crafted?.[j] as number));
    near(norm(weights) / Math.sqrt(20_000), 5, 0.1);
    near(weights.reduce((sum, value, j) => sum + value * (received[j] as number), 0) / 20_000, 0, 0.6);
  });
});

describe("free riders", () => {
  it("send nothing, or the model's own last movement", () => {
    const own = cloud("own", 2, 1_000);
    const [received, previous] = [cloud("w", 1, 1_000)[0] as Float64Array, cloud("v", 1, 1_000)[0] as Float64Array];
    assert.equal(
      norm(
        freeRider(
          configOf("free-rider", { sends: "zero" }),
          inputOf(own, own, { received, previous }),
        )[0] as Float64Array,
      ),
      0,
    );
    assert.equal(norm(freeRider(configOf("free-rider"), inputOf(own, own, { received }))[0] as Float64Array), 0);
    const movement = received.map((value, j) => value - (previous[j] as number));
    const [first, second] = freeRider(configOf("free-rider"), inputOf(own, own, { received, previous }));
    // σ = 1e-3·rms in each coordinate.
    near(Math.sqrt(squaredDistance(first as Float64Array, movement)) / norm(movement), 1e-3, 1e-4);
    assert.notDeepEqual(first, second);
  });
});

describe("replay", () => {
  it("sends the last upload again, and behaves before there is one", () => {
    const last = [Float64Array.of(7), undefined];
    assert.deepEqual(values(replay(configOf("replay"), inputOf(line(1), line(2, 3), { last }))), [[7], [3]]);
  });
});

describe("copycat", () => {
  const benign = cloud("victims", 4, 50);
  const own = cloud("own", 2, 50);

  it("sends an honest member's update", () => {
    for (const copy of copycat(configOf("copycat"), inputOf(benign, own)))
      assert.ok(benign.includes(copy as Float64Array));
  });

  it("with noise stays a near-duplicate: D² below 1e-8‖Δ‖², above 0", () => {
    for (const copy of copycat(configOf("copycat", { disguise: "noise" }), inputOf(benign, own))) {
      const nearest = Math.min(...benign.map((update) => squaredDistance(update, copy) / norm(update) ** 2));
      assert.ok(nearest > 0 && nearest < 1e-8, `${nearest}`);
    }
  });

  it("permuted, is the permuted model minus the received one", () => {
    const received = cloud("w", 1, 50)[0] as Float64Array;
    const symmetry = (state: Float32Array): Float32Array => state.toReversed();
    const [copy] = copycat(
      configOf("copycat", { disguise: "permutation" }),
      inputOf(benign, own, { received, symmetry }),
    );
    const model = Array.from(copy as Float64Array, (value, j) => value + (received[j] as number)).reverse();
    const distances = benign.map((update) =>
      squaredDistance(
        update,
        Float64Array.from(model, (value, j) => value - (received[j] as number)),
      ),
    );
    assert.ok(Math.min(...distances) < 1e-10);
    assert.throws(
      () => copycat(configOf("copycat", { disguise: "permutation" }), inputOf(benign, own)),
      /hidden units/,
    );
  });
});

describe("sybils", () => {
  it("send one update under every name, or its coordinates dealt among them", () => {
    const own = [Float64Array.of(1, 2, 3), Float64Array.of(3, 4, 5)];
    assert.deepEqual(values(sybil(configOf("sybil", { scale: -1 }), inputOf(own, own))), [
      [-2, -3, -4],
      [-2, -3, -4],
    ]);
    assert.deepEqual(values(sybil(configOf("sybil", { updates: "split" }), inputOf(own, own))), [
      [2, 0, 4],
      [0, 3, 0],
    ]);
  });
});

describe("scaling", () => {
  it("multiplies by K, or by what is asked", () => {
    assert.deepEqual(values(scaling(configOf("scaling"), inputOf(line(0, 0, 0), line(2)))), [[8]]);
    assert.deepEqual(values(scaling(configOf("scaling", { scale: 10 }), inputOf(line(0), line(2)))), [[20]]);
  });
});

describe("report inflation", () => {
  it("reports ten times the loss and a hundred times the samples", () => {
    assert.deepEqual(reportInflation(configOf("report-inflation"), { loss: 0.5, samples: 30 }), {
      loss: 5,
      samples: 3_000,
    });
  });
});
