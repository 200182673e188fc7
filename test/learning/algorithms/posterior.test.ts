// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { posteriorDelta } from "../../../src/learning/algorithms/fedPa.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { points, quadratic, taskOf } from "./models.ts";

describe("FedPA's update from samples", () => {
  it("d = 1, w = 0, samples 1 and 3, ρ = 0.4: 1.555556", () => {
    const delta = posteriorDelta([Float64Array.of(1), Float64Array.of(3)], [0], 0.4);
    assert.ok(Math.abs((delta[0] as number) - 1.555556) < 1e-6);
  });
  it("one sample: x − w", () => {
    assert.deepEqual([...posteriorDelta([Float64Array.of(2, 5)], [1, 1], 0.4)], [1, 4]);
  });
  it("equal samples have no covariance: (x − w)/ρ_ℓ", () => {
    const delta = posteriorDelta([Float64Array.of(2), Float64Array.of(2), Float64Array.of(2)], [1], 0.5);
    assert.ok(Math.abs((delta[0] as number) - 2) < 1e-6);
  });
  it("solves Σ̂Δ = x̄ − w", () => {
    const value = fc.double({ min: -3, max: 3, noNaN: true });
    const vector = fc.array(value, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(vector, { minLength: 2, maxLength: 6 }),
        vector,
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        (samples, w, shrinkage) => {
          const count = samples.length;
          const at = (values: readonly number[], i: number) => values[i] as number;
          const mean = [0, 1, 2, 3].map((i) => samples.reduce((sum, x) => sum + at(x, i) / count, 0));
          const delta = posteriorDelta(
            samples.map((x) => Float64Array.from(x)),
            w,
            shrinkage,
          );
          const rho = 1 / (1 + (count - 1) * shrinkage);
          for (let i = 0; i < 4; i++) {
            let product = rho * at([...delta], i);
            for (let j = 0; j < 4; j++) {
              const covariance = samples.reduce(
                (sum, x) => sum + ((at(x, i) - at(mean, i)) * (at(x, j) - at(mean, j))) / (count - 1),
                0,
              );
              product += (1 - rho) * covariance * at([...delta], j);
            }
            assert.ok(Math.abs(product - (at(mean, i) - at(w, i))) < 1e-4 * (1 + Math.abs(product)));
          }
        },
      ),
      { numRuns: 50, seed: 4 },
    );
  });
});

describe("FedPA", () => {
  const plan = { localSteps: 6, batchSize: 1, learningRate: 0.5, momentum: 0 };
  it("averages windows of iterates after the burn-in", async () => {
    // From 8 towards 0: 4, 2 | 1, .5 | .25, .125 with a burn-in of 2 and windows of 2: means .75 and .1875.
    const client = clientSchema.parse({ name: "fedpa", samples: 2, burnIn: 0.34 });
    const { delta } = await localAlgorithm(client, plan, quadratic()).train(taskOf(Float32Array.of(8), points(0)));
    assert.deepEqual(delta, posteriorDelta([Float64Array.of(0.75), Float64Array.of(0.1875)], [8], 0.4));
  });
  it("one sample at the end of the way is FedAvg; so are the first rounds", async () => {
    const fedAvg = await localAlgorithm(undefined, plan, quadratic()).train(taskOf(Float32Array.of(8), points(0)));
    const last = clientSchema.parse({ name: "fedpa", samples: 1, burnIn: 0.99 });
    const early = clientSchema.parse({ name: "fedpa", samples: 2, burnInRounds: 1 });
    for (const client of [last, early]) {
      const { delta } = await localAlgorithm(client, plan, quadratic()).train(taskOf(Float32Array.of(8), points(0)));
      assert.deepEqual(delta, fedAvg.delta);
    }
  });
  it("refuses more samples than steps", async () => {
    const client = clientSchema.parse({ name: "fedpa", samples: 4 });
    await assert.rejects(localAlgorithm(client, plan, quadratic()).train(taskOf(Float32Array.of(8), points(0))), {
      code: "BAD_CONFIG",
    });
  });
});
