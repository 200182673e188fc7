// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runLocalLoop } from "../../../src/learning/algorithms/localLoop.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { accuracy, meanLoss } from "../../../src/learning/evaluate.ts";
import { initialiseParameters, parameterCount } from "../../../src/learning/layout.ts";
import { type LearningEngine, type Model, TRAINING } from "../../../src/learning/model.ts";
import { composedStep } from "../../../src/learning/optimisers/heavyBall.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import type { Random } from "../../../src/protocol/random.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { clusters } from "./models.ts";

const CONFIG: ModelConfig = { kind: "mlp", inputs: 4, hidden: [8], classes: 3, activation: "relu" };
const PLAN = { localSteps: 30, batchSize: 8, learningRate: 0.1, momentum: 0.9 };

const train = (
  model: Model,
  start: Float32Array,
  shard: Dataset,
  plan: TrainingPlan,
  random: Random,
  signal?: AbortSignal,
) => runLocalLoop({ model, start, shard, plan, random, signal });

/** A model whose gradient is the parameters themselves, f(w) = ‖w‖²/2, and which notes the samples it saw. */
function quadratic(parameterSize: number, seen: number[][] = []): Model {
  return {
    config: { kind: "logistic", inputs: 1, classes: 2 },
    layout: [],
    parameterCount: parameterSize,
    forward: () => assert.fail("training asks for gradients only"),
    valueAndGradient: async (parameters, { features }) => {
      seen.push([...features]);
      return { loss: 0, logits: new Float32Array(), features: new Float32Array(), gradient: parameters.slice() };
    },
  };
}

/** `size` samples, each its own index as its only feature. */
function indexed(size: number): Dataset {
  return {
    features: Float32Array.from({ length: size }, (_, i) => i),
    labels: new Int32Array(size),
    inputs: 1,
    classes: 2,
    size,
  };
}

describe("the local loop", () => {
  let engine: LearningEngine;
  let model: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  it("follows the heavy ball: on f = w²/2 from 1, η = 0.1, β = 0.9, w is 0.9, 0.72, 0.486", async () => {
    for (const [localSteps, expected] of [
      [1, 0.9],
      [2, 0.72],
      [3, 0.486],
    ] as const) {
      const plan = { localSteps, batchSize: 1, learningRate: 0.1, momentum: 0.9 };
      const { parameters } = await train(quadratic(1), Float32Array.of(1), indexed(1), plan, keyedRandom("x"));
      assert.ok(Math.abs((parameters[0] as number) - expected) < 1e-6, `${parameters[0]}`);
    }
  });

  for (const optimiser of ["adagrad", "sm3"] as const) {
    const plan = { localSteps: 100, batchSize: 8, learningRate: 0.1, optimiser, epsilon: 1e-3, initialAccumulator: 0 };

    it(`learns with ${optimiser}, whose statistics start anew every round`, async () => {
      const [shard, fresh] = [clusters(200), clusters(300)];
      const { parameters } = await train(model, start, shard, plan, keyedRandom(optimiser));
      assert.ok((await meanLoss(model, parameters, fresh)) < 0.2);
      // Nothing is left of the first round in the second.
      const again = await train(model, start, shard, plan, keyedRandom(optimiser));
      assert.deepEqual(again.parameters, parameters);
    });
  }
  it("follows AdaGrad: on f = w²/2 from 1 with η = 0.1 the first step is 0.1/1.001, the next smaller", async () => {
    const plan = { localSteps: 1, batchSize: 1, learningRate: 0.1, optimiser: "adagrad", epsilon: 1e-3 } as const;
    const weightAfter = async (localSteps: number): Promise<number> => {
      const steps = { ...plan, localSteps, initialAccumulator: 0 };
      const trained = await train(quadratic(1), Float32Array.of(1), indexed(1), steps, keyedRandom("x"));
      return trained.parameters[0] as number;
    };
    const w1 = 1 - 0.1 / 1.001;
    const w2 = w1 - (0.1 * w1) / (Math.sqrt(1 + w1 * w1) + 1e-3);
    assert.ok(Math.abs((await weightAfter(1)) - w1) < 1e-6);
    assert.ok(Math.abs((await weightAfter(2)) - w2) < 1e-6);
  });

  it("learns: three clusters from an untrained model", async () => {
    const [shard, fresh] = [clusters(200), clusters(300)];
    const before = await meanLoss(model, start, fresh);
    const { parameters, trainLoss } = await train(model, start, shard, PLAN, keyedRandom("learn"));
    assert.ok(trainLoss < before, `mean training loss ${trainLoss}, loss before ${before}`);
    assert.ok((await meanLoss(model, parameters, fresh)) < 0.2);
    assert.ok((await accuracy(model, parameters, fresh)) > 0.93);
  });

  it("is a function of its arguments, and changes none of them", async () => {
    const copy = start.slice();
    const random = keyedRandom("member", 1);
    random.normal();
    const first = await train(model, start, clusters(50), PLAN, random);
    assert.deepEqual(await train(model, start, clusters(50), PLAN, keyedRandom("member", 1)), first);
    assert.notDeepEqual(await train(model, start, clusters(50), PLAN, keyedRandom("member", 2)), first);
    assert.deepEqual(start, copy);
  });

  it("gives the same bits through the fused step and through the composed one", async () => {
    const withoutStep: Model = {
      config: model.config,
      layout: model.layout,
      parameterCount: model.parameterCount,
      forward: (...call) => model.forward(...call),
      valueAndGradient: (...call) => model.valueAndGradient(...call),
    };
    assert.ok(model.step !== undefined);
    assert.deepEqual(
      await train(withoutStep, start, clusters(50), PLAN, keyedRandom("paths")),
      await train(model, start, clusters(50), PLAN, keyedRandom("paths")),
    );
  });

  it("shows every sample once per pass, in another order each pass, in batches of one size", async () => {
    const seen: number[][] = [];
    const plan = { localSteps: 6, batchSize: 5, learningRate: 0.1, momentum: 0 };
    await train(quadratic(1, seen), Float32Array.of(1), indexed(10), plan, keyedRandom("passes"));
    assert.ok(seen.every((batch) => batch.length === 5));
    const passes = [0, 2, 4].map((k) => [...(seen[k] as number[]), ...(seen[k + 1] as number[])]);
    for (const pass of passes)
      assert.deepEqual(
        pass.toSorted((a, b) => a - b),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      );
    assert.notDeepEqual(passes[0], passes[1]);
  });

  it("fills batches larger than the shard from further passes", async () => {
    const seen: number[][] = [];
    const plan = { localSteps: 1, batchSize: 7, learningRate: 0.1, momentum: 0 };
    await train(quadratic(1, seen), Float32Array.of(1), indexed(3), plan, keyedRandom("small"));
    assert.deepEqual((seen[0] as number[]).slice(0, 6).toSorted(), [0, 0, 1, 1, 2, 2]);
  });

  it("DIVERGED: a learning rate that blows the model up is an error, not a NaN update", async () => {
    const refused = { code: "DIVERGED" };
    await assert.rejects(
      train(model, start, clusters(50), { ...PLAN, localSteps: 200, learningRate: 100 }, keyedRandom("x")),
      refused,
    );
    // The last step's damage shows in no loss.
    const huge = new Float32Array(parameterCount(CONFIG)).fill(3e38);
    await assert.rejects(
      train(quadratic(huge.length), huge, indexed(2), { ...PLAN, localSteps: 1, learningRate: 4 }, keyedRandom("x")),
      refused,
    );
  });

  it("stops before the next step when its signal is aborted", async () => {
    const seen: number[][] = [];
    const stopping = new AbortController();
    const watched = quadratic(1, seen);
    const model: Model = {
      ...watched,
      valueAndGradient: (...call) => {
        if (seen.length === 2) stopping.abort(new Error("the round is over"));
        return watched.valueAndGradient(...call);
      },
    };
    await assert.rejects(
      train(model, Float32Array.of(1), indexed(3), PLAN, keyedRandom("x"), stopping.signal),
      /the round is over/,
    );
    assert.equal(seen.length, 3);
  });

  it("WRONG_SHAPE: an empty shard, a global model of another size", async () => {
    const empty: Dataset = { features: new Float32Array(), labels: new Int32Array(), inputs: 4, classes: 3, size: 0 };
    await assert.rejects(train(model, start, empty, PLAN, keyedRandom("x")), { code: "WRONG_SHAPE" });
    await assert.rejects(train(model, start.subarray(1), clusters(50), PLAN, keyedRandom("x")), {
      code: "WRONG_SHAPE",
    });
  });

  it("the composed step rounds each operation to float32", async () => {
    const state = { parameters: Float32Array.of(1 / 3, -7.1), velocity: Float32Array.of(0.7, 1e-9) };
    const { parameters, velocity } = await composedStep(quadratic(2))(
      state,
      { features: Float32Array.of(0), size: 1 },
      { learningRate: 0.05, momentum: 0.9 },
      TRAINING,
    );
    const f = Math.fround;
    const expected = [0, 1].map((i) => f(f(f(0.9) * (state.velocity[i] as number)) + (state.parameters[i] as number)));
    assert.deepEqual([...velocity], expected);
    assert.deepEqual(
      [...parameters],
      expected.map((v, i) => f((state.parameters[i] as number) - f(f(0.05) * v))),
    );
  });

  it("the composed step without momentum leaves the velocity alone", async () => {
    const state = { parameters: Float32Array.of(1 / 3, -7.1), velocity: Float32Array.of(0.7, 1e-9) };
    const batch = { features: Float32Array.of(0), size: 1 };
    const { parameters, velocity } = await composedStep(quadratic(2))(
      state,
      batch,
      { learningRate: 0.05, momentum: 0 },
      TRAINING,
    );
    const f = Math.fround;
    assert.deepEqual(velocity, Float32Array.of(0.7, 1e-9));
    assert.deepEqual(
      [...parameters],
      [...state.parameters].map((w) => f(w - f(f(0.05) * w))),
    );
  });
});
