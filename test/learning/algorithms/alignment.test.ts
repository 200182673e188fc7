// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import { EVALUATION, type LearningEngine, type Model } from "../../../src/learning/model.ts";
import { modelSymmetry } from "../../../src/learning/symmetry/modelSymmetry.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { clusters, perceptron, taskOf } from "./models.ts";

const CONFIG: ModelConfig = { kind: "mlp", inputs: 4, hidden: [7, 5], classes: 3, activation: "relu" };
const PLAN = { localEpochs: 2, batchSize: 10, learningRate: 0.05, momentum: 0 };
const PARTS_OFF = { name: "spfl", permutationWeight: 0, rotationWeight: 0, align: false };
const symmetry = modelSymmetry(CONFIG);
const start = initialiseParameters(CONFIG, keyedRandom("start"));
const shard = clusters(40);
const squared = (v: Float32Array): number => v.reduce((sum, value) => sum + value * value, 0);

describe("a model's permutations", () => {
  it("gθ and g⁻¹θ of one g: each undoes the other", () => {
    const random = () => keyedRandom("g");
    const { moved, movedBack } = symmetry.randomAction(start, random());
    assert.notDeepEqual(moved, start);
    assert.deepEqual(symmetry.randomAction(moved, random()).movedBack, start);
    assert.deepEqual(symmetry.randomAction(movedBack, random()).moved, start);
  });
  it("a permuted copy is aligned back, bit for bit", () => {
    const one: ModelConfig = { kind: "mlp", inputs: 4, hidden: [7], classes: 3, activation: "relu" };
    const whole = initialiseParameters(one, keyedRandom("one"));
    const { moved } = modelSymmetry(one).randomAction(whole, keyedRandom("copy"));
    assert.notDeepEqual(moved, whole);
    assert.deepEqual(modelSymmetry(one).alignTo(moved, whole, keyedRandom("align")), whole);
  });
});

describe("SPFL's permutations", () => {
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());
  const train = (client: Record<string, unknown>, from = start, plan = PLAN) =>
    localAlgorithm(clientSchema.parse(client), plan, model).train(taskOf(from, shard));

  it("where P* is the identity, the orbit's pull is FedProx's", async () => {
    const { delta } = await train({ ...PARTS_OFF, permutationWeight: 0.5 });
    assert.deepEqual(delta, (await train({ name: "fedprox", mu: 0.5 })).delta);
    const never = await train({ ...PARTS_OFF, permutationWeight: 0.5, matchEvery: "never" });
    assert.deepEqual(never.delta, delta);
  });

  it("pulls to the nearest copy of the received model", async () => {
    const one: ModelConfig = { kind: "mlp", inputs: 4, hidden: [7], classes: 3, activation: "relu" };
    const begin = initialiseParameters(one, keyedRandom("one"));
    const { moved: copy } = modelSymmetry(one).randomAction(begin, keyedRandom("other order"));
    // The first step leads to a permuted copy of the received model; after it the loss is flat.
    let calls = 0;
    const leap: Model = {
      ...perceptron(4, 7, 3),
      config: one,
      valueAndGradient: async (w) => ({
        loss: 0,
        logits: new Float32Array(),
        features: new Float32Array(),
        gradient: calls++ === 0 ? w.map((value, i) => value - (copy[i] as number)) : new Float32Array(w.length),
      }),
    };
    const endOf = async (matchEvery: string): Promise<Float32Array> => {
      calls = 0;
      const plan = { localEpochs: 6, batchSize: 40, learningRate: 1, momentum: 0 };
      const client = clientSchema.parse({ ...PARTS_OFF, permutationWeight: 0.5, matchEvery });
      const { delta } = await localAlgorithm(client, plan, leap).train(taskOf(begin, shard));
      return begin.map((w, i) => w + (delta[i] as number));
    };
    const distance = (a: Float32Array, b: Float32Array) => squared(a.map((w, i) => w - (b[i] as number)));
    const whole = distance(copy, begin);
    assert.ok(distance(await endOf("epoch"), copy) < 1e-9 * whole);
    // Without matching anew half of the way back is walked in each of five steps.
    assert.ok(Math.abs(distance(await endOf("never"), begin) / whole - 4 ** -5) < 1e-5);
  });

  it("sends the local model in the order nearest to the received one, which is never farther and the same function", async () => {
    const hard = { ...PLAN, localEpochs: 12, learningRate: 0.5 };
    const [aligned, plain] = [
      await train({ ...PARTS_OFF, align: true }, start, hard),
      await train(PARTS_OFF, start, hard),
    ];
    assert.ok(squared(aligned.delta) <= squared(plain.delta));
    const outputs = async (delta: Float32Array) =>
      (
        await model.forward(
          start.map((w, i) => w + (delta[i] as number)),
          shard,
          EVALUATION,
        )
      ).logits;
    const [one, other] = [await outputs(aligned.delta), await outputs(plain.delta)];
    for (const [i, value] of one.entries()) assert.ok(Math.abs(value - (other[i] as number)) < 1e-3);
  });

  it("literal: the pull's expectation is the gradient of E‖θ − gθ‖², which is 0 iff exchangeable neurons are equal", () => {
    // Two neurons with weights 1 and 2: ½·0 + ½·((1−2)² + (2−1)²) = 1.
    const tiny: ModelConfig = { kind: "mlp", inputs: 1, hidden: [2], classes: 2, activation: "relu" };
    const swap = modelSymmetry(tiny);
    const value = (a: number, b: number): number => {
      const theta = new Float32Array(10);
      theta.set([a, b]);
      let sum = 0;
      for (let draw = 0; draw < 400; draw++) {
        const { moved } = swap.randomAction(theta, keyedRandom("literal", draw));
        sum += squared(theta.map((w, i) => w - (moved[i] as number))) / 400;
      }
      return sum;
    };
    assert.ok(Math.abs(value(1, 2) - 1) < 0.2);
    assert.equal(value(2, 2), 0);
  });

  it("literal: a weight makes exchangeable neurons alike", async () => {
    const spread = async (literalWeight: number): Promise<number> => {
      const { delta } = await train({ ...PARTS_OFF, literalWeight }, start, { ...PLAN, localEpochs: 10 });
      const theta = start.map((w, i) => w + (delta[i] as number));
      const { moved } = symmetry.randomAction(theta, keyedRandom("spread"));
      return squared(theta.map((w, i) => w - (moved[i] as number)));
    };
    assert.ok((await spread(0.5)) < 0.2 * (await spread(0)));
  });

  it("refuses a pull that oscillates", () => {
    const client = clientSchema.parse({ ...PARTS_OFF, permutationWeight: 20 });
    assert.throws(() => localAlgorithm(client, PLAN, model), { code: "BAD_CONFIG" });
  });
});

describe("a client algorithm that nobody knows", () => {
  it("is refused", () => assert.throws(() => clientSchema.parse({ name: "fedsomething" }), /name/));
});
