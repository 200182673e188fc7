// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../../src/learning/model.ts";
import { keyedRandom } from "../../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../../src/protocol/recipe/modelConfig.ts";
import { meanGradient, oneHot } from "../../../../src/round/serverLearning/batches.ts";
import { choleskyFactor, choleskySolve } from "../../../../src/round/serverLearning/fedRedefense/cholesky.ts";
import { freshDistilledSet, reconstruct } from "../../../../src/round/serverLearning/fedRedefense/distilledSet.ts";
import {
  fedRedefenseDistilled,
  fedRedefenseProbes,
} from "../../../../src/round/serverLearning/fedRedefense/fedRedefense.ts";
import { keptByError } from "../../../../src/round/serverLearning/fedRedefense/flag.ts";
import {
  linearReconstructionError,
  probeBasis,
} from "../../../../src/round/serverLearning/fedRedefense/linearProbes.ts";
import { softmaxRows } from "../../../../src/round/serverLearning/predictors.ts";
import { norm } from "../../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, honestUpdates, mean } from "../federation.ts";

const MAD = { kind: "mad", k: 3 } as const;
const FIXED = { kind: "fixed", limit: 0.6 } as const;
const OPTIONS = { iterations: 60, stopBelow: 0.05, featureRate: 0.1, labelRate: 0.05, epsilon: 1e-2 };

describe("FedREDefense", () => {
  let engine: LearningEngine;
  let model: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  /** A vector without relation to any training, of the length of an honest update. */
  const noise = (length: number, size: number): Float64Array => {
    const random = keyedRandom("noise");
    const vector = Float64Array.from({ length: size }, () => random.normal());
    return vector.map((value) => (value * length) / norm(vector));
  };

  it("core 2 explains a step on any of its probes, of any label, almost entirely", async () => {
    const probes = clusters("probes", 4);
    const basis = await probeBasis(model, start, probes, 1e-3);
    for (const label of [0, 1, 2]) {
      const { gradient } = await meanGradient(model, start, probes.features.slice(4, 8), oneHot([label], 3));
      const error = linearReconstructionError(
        basis,
        gradient.map((g) => -0.1 * g),
      );
      assert.ok(error < 0.02, `label ${label}: ${error}`);
    }
  });

  it("core 2 explains P(C−1)/d of a random vector", async () => {
    const wide: ModelConfig = { kind: "mlp", inputs: 40, hidden: [50], classes: 3, activation: "relu" };
    const model = await engine.load(wide);
    const random = keyedRandom("wide");
    const features = Float32Array.from({ length: 10 * 40 }, () => random.normal());
    const probes = { features, labels: new Int32Array(10), inputs: 40, classes: 3, size: 10 };
    const basis = await probeBasis(model, initialiseParameters(wide, random.derive("start")), probes, 1e-9);
    let sum = 0;
    for (let k = 0; k < 20; k++)
      sum += linearReconstructionError(
        basis,
        Float64Array.from({ length: model.parameterCount }, () => random.normal()),
      );
    // 20 of 2203 dimensions; the mean of 20 draws has a standard error of 6e-4.
    assert.ok(Math.abs(sum / 20 - (1 - 20 / model.parameterCount)) < 2.5e-3, `${sum / 20}`);
  });

  it("core 2 as a strategy drops noise among honest members and hands the rest to the base", async () => {
    const updates = await honestUpdates(model, start, 7);
    const honest = updates[3] as (typeof updates)[number];
    const attacked = updates.with(3, { ...honest, delta: noise(norm(honest.delta), start.length) });
    const strategy = fedRedefenseProbes(model, clusters("probes", 8), 1e-3, MAD);
    const { outcome } = await strategy.aggregate(undefined, {
      round: 1,
      parameters: start,
      updates: attacked,
      random: keyedRandom("round"),
      base: mean,
    });
    assert.deepEqual(outcome.kept, [true, true, true, false, true, true, true]);
    assert.equal(outcome.weights?.[3], 0);
    const expected = await mean(attacked.filter((_, k) => k !== 3));
    assert.deepEqual(outcome.delta, expected.delta);
  });

  it("core 1 lowers the error of an honest update step by step, more than that of noise", async () => {
    const [update] = await honestUpdates(model, start, 1);
    const delta = (update as NonNullable<typeof update>).delta;
    const fresh = freshDistilledSet(model, 2, keyedRandom("set"));
    const first = await reconstruct(model, start, delta, fresh, { ...OPTIONS, iterations: 0 });
    const last = await reconstruct(model, start, delta, fresh, OPTIONS);
    const handcrafted = await reconstruct(model, start, noise(norm(delta), delta.length), fresh, OPTIONS);
    assert.ok(last.error < 0.6 * first.error, `${first.error} to ${last.error}`);
    assert.ok(last.error < 0.6 && handcrafted.error > 0.6, `${last.error} against ${handcrafted.error}`);
  });

  it("core 1 reconstructs a step on its own set at once, and a step against it not at all: step sizes are not negative", async () => {
    const fresh = freshDistilledSet(model, 1, keyedRandom("set"));
    const targets = Float32Array.from(softmaxRows(fresh.labelLogits, 3));
    const { gradient } = await meanGradient(model, start, fresh.features, targets);
    const errorOf = async (factor: number) =>
      (
        await reconstruct(
          model,
          start,
          gradient.map((g) => factor * g),
          fresh,
          { ...OPTIONS, iterations: 0 },
        )
      ).error;
    assert.ok((await errorOf(-0.3)) < 1e-9);
    assert.equal(await errorOf(0.3), 1);
  });

  it("core 1 goes on from last round's sets: at the same model the error never rises", async () => {
    const updates = await honestUpdates(model, start, 2);
    const strategy = fedRedefenseDistilled(model, 1, { ...OPTIONS, iterations: 5 }, FIXED);
    const round = { round: 1, parameters: start, updates, random: keyedRandom("round"), base: mean };
    const first = await strategy.aggregate(strategy.initial, round);
    const second = await strategy.aggregate(first.state, round);
    const [before, later] = [first, second].map(({ outcome }) => outcome.diagnostics.reconstructionErrors as number[]);
    assert.ok(later?.every((error, k) => error <= (before?.[k] as number)));
    assert.equal(strategy.initial.sets.size, 0);
  });

  it("flags free riders and NaN; keeps the best third when everybody is flagged; never flags one of equals", () => {
    assert.deepEqual(keptByError([0.2, 0.2, 1, 0.2], [1, 1, 0, 1], MAD), [true, true, false, true]);
    // An update of no length is reconstructed as well as any.
    assert.deepEqual(keptByError([0.2, 0.2, 0], [1, 1e-13, 1], MAD), [true, false, true]);
    assert.deepEqual(keptByError([0.2, Number.NaN, 0.3], [1, 1, 1], FIXED), [true, false, true]);
    assert.deepEqual(keptByError([0.9, 0.7, 0.8, 0.7], [1, 1, 1, 1], FIXED), [false, true, false, true]);
    assert.deepEqual(keptByError([Number.NaN, 0.9], [1, 1], FIXED), [false, true]);
    assert.deepEqual(keptByError([0.5, 0.5, 0.5], [1, 1, 1], MAD), [true, true, true]);
    // median .2, MAD .01: .2 + 3·1.4826·.01 = .2445.
    assert.deepEqual(keptByError([0.19, 0.2, 0.21, 0.24, 0.25], [1, 1, 1, 1, 1], MAD), [true, true, true, true, true]);
    assert.deepEqual(keptByError([0.19, 0.2, 0.21, 0.2, 0.244], [1, 1, 1, 1, 1], MAD), [true, true, true, true, true]);
    assert.deepEqual(keptByError([0.19, 0.2, 0.21, 0.2, 0.245], [1, 1, 1, 1, 1], MAD), [true, true, true, true, false]);
  });

  it("solves its ridge system, and refuses one that is not positive definite", () => {
    const matrix = Float64Array.of(4, 2, 0, 2, 5, 1, 0, 1, 3);
    const x = choleskySolve(choleskyFactor(matrix, 3), Float64Array.of(8, 15, 11));
    assert.ok([1, 2, 3].every((value, j) => Math.abs(value - (x[j] as number)) < 1e-14));
    assert.throws(() => choleskyFactor(Float64Array.of(1, 2, 2, 1), 2), { code: "DIVERGED" });
  });
});
