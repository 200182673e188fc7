// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { adapterTensorsOf } from "../../../src/learning/algorithms/adapters.ts";
import { partOfModel } from "../../../src/learning/algorithms/adaptersModel.ts";
import type { LocalAlgorithm } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { initialiseParameters, parameterLayout } from "../../../src/learning/layout.ts";
import { EVALUATION, type LearningEngine, type Model, TRAINING } from "../../../src/learning/model.ts";
import { referenceValueAndGradient } from "../../../src/learning/reference.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { type ModelConfig, modelSchema } from "../../../src/protocol/recipe/modelConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";
import { clusters, taskOf } from "./models.ts";

const MLP = { kind: "mlp" as const, inputs: 4, hidden: [12, 8], classes: 3, activation: "relu" as const };
const PLAN: TrainingPlan = { localSteps: 25, batchSize: 10, learningRate: 0.1, momentum: 0.5 };

describe("adapters of a model", () => {
  for (const title of ["tanh, dropout and adapters", "transformer with adapters"]) {
    it(`${title}: start as the model without them, bit for bit`, () => {
      const config = ALL_MODELS[title] as ModelConfig & { adapters?: { width: number } };
      const { adapters: _, ...plain } = config;
      const random = keyedRandom("start", title);
      const inputs = Float64Array.from({ length: 3 * config.inputs }, () => random.integerBelow(5));
      const logits = (of: ModelConfig): Float64Array =>
        referenceValueAndGradient(of, initialiseParameters(of, keyedRandom("weights")), inputs, 3, {
          targets: new Float64Array(3 * config.classes),
        }).logits;
      assert.deepEqual(logits(config), logits(plain));
    });
  }

  it("h + W_up·tanh(W_down·h + b) by hand: h = (1, −1), W_down·h + b = (0.5, 2), W_up = diag(2, 1)", () => {
    const sizes = { inputs: 2, hidden: [2], classes: 2 };
    const config: ModelConfig = { ...MLP, ...sizes, activation: "tanh", adapters: { width: 2 } };
    // tanh(±20) is ±1 in float64.
    const [first, down, up, head] = [
      [20, 0, 0, 20, 0, 0],
      [1, 1, 1, -1, 0.5, 0],
      [2, 0, 0, 1, 0, 0],
      [1, 0, 0, 1, 0, 0],
    ];
    const parameters = [first, down, up, head].flatMap((values) => values as number[]);
    const { features } = referenceValueAndGradient(config, parameters, [1, -1], 1, { targets: [0, 0] });
    assert.ok(Math.abs((features[0] as number) - (1 + 2 * Math.tanh(0.5))) < 1e-12);
    assert.ok(Math.abs((features[1] as number) - (-1 + Math.tanh(2))) < 1e-12);
  });

  it("stand behind each hidden layer, and at the end of both branches of a block", () => {
    const names = (config: ModelConfig): string[] =>
      parameterLayout(config)
        .filter(({ adapter }) => adapter === true)
        .map(({ name, shape }) => `${name} ${shape.join("×")}`);
    assert.deepEqual(names({ ...MLP, hidden: [5], adapters: { width: 2 } }), [
      "adapter1.down.weight 2×5",
      "adapter1.down.bias 2",
      "adapter1.up.weight 5×2",
      "adapter1.up.bias 5",
    ]);
    const text = names(ALL_MODELS["transformer with adapters"] as ModelConfig);
    assert.equal(text.length, 2 * 2 * 4);
    assert.equal(text[4], "encoder.layers.0.adapter2.down.weight 2×6");
  });

  it("are refused where an architecture has none", () => {
    const cnn = ALL_MODELS["convolutions and a projection head"];
    assert.ok(!modelSchema.safeParse({ ...cnn, adapters: { width: 2 } }).success);
    for (const width of [0, 1.5, 5000])
      assert.ok(!modelSchema.safeParse({ ...MLP, adapters: { width } }).success, `${width}`);
  });
});

describe("the client algorithm adapters", () => {
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load({ ...MLP, adapters: { width: 3 } });
  });
  after(() => engine.dispose());

  const algorithm = (more: Record<string, unknown> = {}, plan: TrainingPlan = PLAN): LocalAlgorithm =>
    localAlgorithm(clientSchema.parse({ name: "adapters", ...more }), plan, model);
  const start = (): Float32Array => initialiseParameters(model.config, keyedRandom("adapters"));

  for (const head of [false, true])
    it(`moves adapters${head ? " and the head" : ""} and leaves everything else exactly as it was, weight decay too`, async () => {
      const plans: TrainingPlan[] = [
        { ...PLAN, weightDecay: 0.01 },
        {
          localEpochs: 2,
          batchSize: 10,
          optimiser: "adam",
          learningRate: 0.01,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
        },
      ];
      for (const plan of plans) {
        const { delta } = await algorithm({ head }, plan).train(taskOf(start(), clusters(60)));
        for (const { name, offset, size, adapter, head: last } of model.layout) {
          const part = delta.subarray(offset, offset + size);
          if (adapter === true || (head && last))
            assert.ok(
              part.some((value) => value !== 0),
              name,
            );
          else
            assert.ok(
              part.every((value) => Object.is(value, 0)),
              name,
            );
        }
      }
    });

  it("learns over rounds", async () => {
    let state = start();
    for (let round = 1; round <= 4; round++) {
      const { delta } = await algorithm().train(
        taskOf(state, clusters(60), { round, random: keyedRandom("r", round) }),
      );
      state = state.map((value, j) => value + (delta[j] as number));
    }
    const fresh = clusters(100, "fresh");
    assert.ok((await meanLoss(model, state, fresh)) < 0.6 * (await meanLoss(model, start(), fresh)));
  });

  it("with every tensor as its part the loop is that of FedAvg, bit for bit", async () => {
    const whole = partOfModel(model, start(), model.layout);
    const task = taskOf(start(), clusters(60));
    const [own, plain] = [whole.model, model].map((of) => localAlgorithm(undefined, PLAN, of));
    assert.deepEqual(await own?.train(task), await plain?.train(task));
  });

  it("the part's forward pass and gradient are the model's", async () => {
    const parameters = start().map((value, i) => value + 0.01 * (i % 7));
    const batch = clusters(9);
    const tensors = adapterTensorsOf(model, true);
    const part = partOfModel(model, parameters, tensors);
    const own = part.taken(parameters);
    assert.deepEqual(part.composed(own), parameters);
    assert.deepEqual(
      await part.model.forward(own, batch, EVALUATION),
      await model.forward(parameters, batch, EVALUATION),
    );
    const request = { trainable: part.names };
    const { gradient } = await model.valueAndGradient(parameters, batch, request, TRAINING);
    const inner = await part.model.valueAndGradient(own, batch, {}, TRAINING);
    assert.deepEqual(inner.gradient, part.taken(gradient));
    assert.equal(inner.gradient.length, part.model.parameterCount);
  });

  it("BAD_CONFIG: a model without adapters, said with what to do", async () => {
    const plain = await engine.load(MLP);
    assert.throws(() => localAlgorithm(clientSchema.parse({ name: "adapters" }), PLAN, plain), {
      code: "BAD_CONFIG",
      message: /adapters: \{ width \}.*or take lora/,
    });
  });
});
