// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { auxiliaryTensors, localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { gaussian, quadratic, taskOf } from "./models.ts";

const near = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= 1e-6, `${Array.from(actual)}, not ${expected}`);
};
const sam = (epsilon: number) => clientSchema.parse({ name: "sam", space: "inputs", epsilon });
const plan: TrainingPlan = { localSteps: 1, batchSize: 2, learningRate: 1, momentum: 0 };
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

describe("SAM in the space of inputs", () => {
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load({ kind: "logistic", inputs: 3, classes: 2 });
  });
  after(() => engine.dispose());

  /** Weights (1, −2, 0) of class 0 and none of class 1: the loss of class 0 is ln(1 + e^−z), z = x₁ − 2x₂, and of class 1 ln(1 + e^z). */
  const weights = Float32Array.of(1, -2, 0, 0, 0, 0, 0, 0);
  const shard: Dataset = {
    features: Float32Array.of(1, 0.5, 3, 2, -1, 4),
    labels: Int32Array.of(0, 1),
    inputs: 3,
    classes: 2,
    size: 2,
  };

  it("each sample moves by ε against its own class, where the weights are 0 not at all; trained is what they are then", async () => {
    assert.deepEqual(
      model.layout.map(({ shape }) => [...shape]),
      [[2, 3], [2]],
    );
    const { delta, trainLoss } = await localAlgorithm(sam(0.1), plan, model).train(taskOf(weights, shard));
    // (1, .5, 3) of class 0 to (.9, .6, 3), z = −.3; (2, −1, 4) of class 1, whose loss rises with z, to (2.1, −1.1, 4), z = 4.3.
    const [first, second] = [1 - sigmoid(-0.3), sigmoid(4.3)];
    const row = [0.9 * first - 2.1 * second, 0.6 * first + 1.1 * second, 3 * first - 4 * second].map(
      (value) => value / 2,
    );
    const bias = (first - second) / 2;
    near(delta, [...row, ...row.map((value) => -value), bias, -bias]);
    // Before the move: z = 0 and 4.
    near([trainLoss], [(Math.log(2) + Math.log(1 + Math.exp(4))) / 2]);
  });

  it("with next to no distance it is FedAvg", async () => {
    const task = taskOf(weights, shard);
    const [plain, little] = await Promise.all(
      [undefined, sam(1e-12)].map((client) => localAlgorithm(client, plan, model).train(task)),
    );
    near(little?.delta ?? [], [...(plain?.delta ?? [])]);
  });

  it("dropout: both passes of a step share its masks", async () => {
    const config: ModelConfig = { kind: "mlp", inputs: 3, hidden: [8], classes: 2, activation: "tanh", dropout: 0.5 };
    const dropping = await engine.load(config);
    const seen: unknown[] = [];
    const watched: Model = {
      ...dropping,
      layout: dropping.layout,
      config,
      parameterCount: dropping.parameterCount,
      forward: dropping.forward.bind(dropping),
      valueAndGradient: (w, batch, request, mode) => {
        seen.push(mode.masks);
        return dropping.valueAndGradient(w, batch, request, mode);
      },
    };
    await localAlgorithm(sam(0.1), plan, watched).train(taskOf(gaussian(dropping.parameterCount), shard));
    assert.equal(seen.length, 2);
    assert.ok(seen[0] !== undefined);
    assert.deepEqual(seen[0], seen[1]);
  });

  it("tokens are refused before anything is trained", () => {
    for (const config of [
      { kind: "bagOfEmbeddings", inputs: 4, vocabulary: 10, width: 2, classes: 2 },
      {
        kind: "transformer",
        inputs: 4,
        vocabulary: 10,
        width: 4,
        heads: 1,
        feedForward: 4,
        blocks: 1,
        normalisation: "pre",
        classes: 2,
      },
    ] as const) {
      assert.throws(() => auxiliaryTensors(sam(0.1), plan, config), { code: "BAD_CONFIG", message: /token ids/ });
      auxiliaryTensors(clientSchema.parse({ name: "sam" }), plan, config);
    }
  });

  it("an engine that gives no gradient of inputs is refused by name", async () => {
    const algorithm = localAlgorithm(sam(0.1), plan, quadratic(3));
    await assert.rejects(algorithm.train(taskOf(Float32Array.of(1, 1, 1), shard)), {
      code: "UNSUPPORTED",
      message: /no gradient with respect to inputs/,
    });
  });
});
