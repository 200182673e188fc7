// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Calibration, measureResource } from "../../src/learning/measureResource.ts";
import type { Model } from "../../src/learning/model.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { TrainingPlan } from "../../src/protocol/recipe/trainingConfig.ts";
import { clusters, gaussian, perceptron } from "./algorithms/models.ts";

/** A machine that takes the given milliseconds for each step in turn; the last one's for all that follow. */
function machine(...stepMs: readonly number[]): { model: Model; now: () => number; sizes: number[] } {
  const inner = perceptron(4, 3);
  const sizes: number[] = [];
  let time = 1_000;
  const model: Model = {
    ...inner,
    valueAndGradient: (parameters, batch, ...rest) => {
      time += stepMs[Math.min(sizes.length, stepMs.length - 1)] as number;
      sizes.push(batch.size);
      return inner.valueAndGradient(parameters, batch, ...rest);
    },
  };
  return { model, now: () => time, sizes };
}

const PLAN: TrainingPlan = { localEpochs: 2, batchSize: 10, learningRate: 0.1, momentum: 0 };

function calibration({ model, now }: ReturnType<typeof machine>, change: Partial<Calibration> = {}): Calibration {
  const parameters = gaussian(model.parameterCount);
  const random = keyedRandom("calibration");
  return { model, plan: PLAN, shard: clusters(95), parameters, random, deadlineSeconds: 10, now, ...change };
}

describe("measureResource", () => {
  it("r = steps a second / (steps a round needs / seconds it has); the first of five batches warms up", async () => {
    const slowToStart = machine(60_000, 250, 250, 150, 350);
    const found = await measureResource(calibration(slowToStart));
    // Four steps in 1 s; two passes of ten batches in 10 s are two a second.
    assert.deepEqual(found, { resource: 2, stepsPerSecond: 4, steps: 20 });
    assert.equal(slowToStart.sizes.length, 5);
  });

  it("twice the time or twice the machine is twice r, twice the steps half", async () => {
    const r = async (stepMs: number, change: Partial<Calibration>) =>
      (await measureResource(calibration(machine(stepMs), change))).resource;
    assert.equal(await r(250, { deadlineSeconds: 20 }), 4);
    assert.equal(await r(125, {}), 4);
    assert.equal(await r(250, { plan: { ...PLAN, localEpochs: 4 } }), 1);
    assert.equal(await r(250, { plan: { localSteps: 5, batchSize: 10, learningRate: 0.1, momentum: 0 } }), 8);
  });

  it("takes five batches of the plan's sizes also where a round has fewer", async () => {
    const few = machine(100);
    const found = await measureResource(calibration(few, { shard: clusters(15), plan: { ...PLAN, localEpochs: 1 } }));
    assert.deepEqual(few.sizes, [10, 5, 10, 5, 10]);
    assert.deepEqual([found.steps, found.stepsPerSecond, found.resource], [2, 10, 50]);
    const one = machine(100);
    const plan = { localSteps: 1, batchSize: 20, learningRate: 0.1, momentum: 0 };
    assert.equal((await measureResource(calibration(one, { plan }))).steps, 1);
    assert.deepEqual(one.sizes, [20, 20, 20, 20, 20]);
  });

  it("leaves the parameters as they were, and stops when it is told to", async () => {
    const given = calibration(machine(10));
    const before = given.parameters.slice();
    await measureResource(given);
    assert.deepEqual(given.parameters, before);
    const stopped = AbortSignal.abort(new Error("stopped"));
    await assert.rejects(measureResource({ ...given, signal: stopped }), /stopped/);
  });

  it("refuses a clock that stands still", async () => {
    await assert.rejects(measureResource(calibration(machine(0))), { code: "UNSUPPORTED", message: /state a number/ });
  });
});
