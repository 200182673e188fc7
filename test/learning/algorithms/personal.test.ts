// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gather } from "../../../src/learning/algorithms/batches.ts";
import { metaGradient, splitBatch } from "../../../src/learning/algorithms/fedMeta.ts";
import { normalisedRows } from "../../../src/learning/algorithms/functional.ts";
import { mostImportant } from "../../../src/learning/algorithms/partialExchange.ts";
import { sendsBeside } from "../../../src/learning/algorithms/sendsBeside.ts";
import { auxiliaryTensors, initialState, localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { EVALUATION, TRAINING } from "../../../src/learning/model.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { clusters, gaussian, perceptron, points, quadratic, taskOf } from "./models.ts";

const PLAN: TrainingPlan = { localSteps: 20, batchSize: 10, learningRate: 0.1, momentum: 0.9 };
const near = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= tolerance, `${Array.from(actual)}, not ${expected}`);
};
const model = perceptron(4, 6, 3);
const start = gaussian(model.parameterCount, 0.4);
const shard = clusters(60);
const placeOf = (name: string) => {
  const tensor = model.layout.find((candidate) => candidate.name === name);
  assert.ok(tensor !== undefined);
  return tensor;
};

describe("FedMeta", () => {
  const split = splitBatch(gather(points(0, 0), [0, 1]), 0.5, 1);
  assert.ok(split !== undefined);
  it("L = ½(θ − b)², θ = 1, b = 0, a = 0.1: 0.9 to first order, 0.81 in full", async () => {
    const rates = Float32Array.of(0.1);
    for (const [order, expected] of [
      ["first", 0.9],
      ["hessian", 0.81],
    ] as const) {
      const request = { order, epsilon: 1e-2 };
      const result = await metaGradient(quadratic(), Float32Array.of(1), split, rates, request, TRAINING);
      near(result.gradient, [expected], 1e-5);
      // ∂/∂a = −∇L_S·∇L_Q = −1·0.9.
      near(result.slope, [-0.9]);
      assert.ok(Math.abs(result.loss - 0.405) < 1e-6);
    }
  });
  it("the full gradient and the slope in the rates agree with differences", async () => {
    const halves = splitBatch(gather(shard, [0, 1, 2, 3, 4, 5]), 0.5, 4);
    assert.ok(halves !== undefined);
    const rates = gaussian(model.parameterCount, 0.3, "rates");
    const objective = async (w: Float32Array, a: Float32Array): Promise<number> => {
      const { gradient } = await model.valueAndGradient(w, halves.support, {}, TRAINING);
      const adapted = w.map((value, i) => value - (a[i] as number) * (gradient[i] as number));
      return (await model.valueAndGradient(adapted, halves.query, {}, TRAINING)).loss;
    };
    const request = { order: "hessian", epsilon: 1e-2 } as const;
    const { gradient, slope } = await metaGradient(model, start, halves, rates, request, TRAINING);
    const h = 2 ** -8;
    for (let i = 0; i < start.length; i += 5) {
      const bump = (values: Float32Array, by: number) => values.map((value, j) => (i === j ? value + by : value));
      const inTheta = ((await objective(bump(start, h), rates)) - (await objective(bump(start, -h), rates))) / (2 * h);
      assert.ok(Math.abs(inTheta - (gradient[i] as number)) < 1e-3, `θ[${i}]: ${gradient[i]}, not ${inTheta}`);
      const inRate = ((await objective(start, bump(rates, h))) - (await objective(start, bump(rates, -h)))) / (2 * h);
      assert.ok(Math.abs(inRate - (slope[i] as number)) < 1e-3, `a[${i}]: ${slope[i]}, not ${inRate}`);
    }
  });
  it("one step of the example moves by the outer rate; a single sample moves nothing", async () => {
    const plan: TrainingPlan = { localSteps: 1, batchSize: 2, learningRate: 0.01, momentum: 0 };
    const algorithm = localAlgorithm(clientSchema.parse({ name: "fedmeta", innerRate: 0.1 }), plan, quadratic());
    near((await algorithm.train(taskOf(Float32Array.of(1), points(0, 0)))).delta, [-0.009]);
    const single: TrainingPlan = { ...plan, localSteps: undefined, localEpochs: 3 };
    const alone = localAlgorithm(clientSchema.parse({ name: "fedmeta" }), single, quadratic());
    near((await alone.train(taskOf(Float32Array.of(1), points(0)))).delta, [0], 0);
  });
  it("Meta-SGD: rates start at the inner rate, travel beside the model and learn", async () => {
    const client = clientSchema.parse({ name: "fedmeta", innerRate: 0.1, learnRates: true });
    const plan: TrainingPlan = { localSteps: 1, batchSize: 2, learningRate: 0.5, momentum: 0 };
    const algorithm = localAlgorithm(client, plan, quadratic());
    const state = initialState(Float32Array.of(1), algorithm.auxiliary);
    near(state, [1, 0.1], 1e-7);
    // θ: −0.5·0.9; a: +0.5·0.9.
    near((await algorithm.train(taskOf(state, points(0, 0)))).delta, [-0.45, 0.45]);
  });
  it("adapts with as many steps as it says, at the inner rate", async () => {
    for (const adaptationSteps of [1, 3]) {
      const client = clientSchema.parse({ name: "fedmeta", innerRate: 0.2, adaptationSteps });
      const task = taskOf(Float32Array.of(1), points(0, 0));
      const own = await localAlgorithm(client, PLAN, quadratic()).personalise?.(task);
      near(own ?? [], [0.8 ** adaptationSteps]);
    }
  });
  it("a member's own model has adapted to its shard", async () => {
    const client = clientSchema.parse({ name: "fedmeta", innerRate: 0.2, adaptationSteps: 5 });
    const own = await localAlgorithm(client, PLAN, model).personalise?.(taskOf(start, shard));
    assert.ok(own !== undefined);
    assert.ok((await meanLoss(model, own, shard)) < (await meanLoss(model, start, shard)) - 0.05);
  });
});

describe("partial exchange", () => {
  const local = ["layer2.weight", "layer2.bias"];
  const partial = (more: Record<string, unknown>) =>
    localAlgorithm(clientSchema.parse({ name: "partial", ...more }), PLAN, model);

  it("local tensors stay with the member, come back in its next round and in its own model", async () => {
    const algorithm = partial({ local });
    const first = await algorithm.train(taskOf(start, shard));
    const head = placeOf("layer2.weight").offset;
    assert.ok(first.delta.subarray(head).every((value) => value === 0));
    assert.ok(first.delta.subarray(0, head).some((value) => value !== 0));
    assert.deepEqual(Object.keys(first.local), local);
    const received = start.map((w, i) => w + (first.delta[i] as number));
    const own = await algorithm.personalise?.(taskOf(received, shard, { local: first.local }));
    assert.deepEqual(own?.subarray(0, head), received.subarray(0, head));
    assert.deepEqual(own?.subarray(head, head + 18), first.local["layer2.weight"]);
    // Trained further from there, not from what the server has.
    const { trainLoss } = await algorithm.train(taskOf(received, shard, { local: first.local }));
    const forgetful = await algorithm.train(taskOf(received, shard));
    assert.ok(trainLoss < forgetful.trainLoss);
  });
  it("sends the most important tensors that fit in the budget, by ‖Δ‖²/d", () => {
    const tensor = (name: string, offset: number, size: number) => ({ name, shape: [size], offset, size, head: false });
    const tensors = [tensor("a", 0, 4), tensor("b", 4, 1), tensor("c", 5, 2)];
    const delta = Float32Array.of(1, 1, 1, 1, 3, 2, 0);
    const names = (budget?: number) => mostImportant(delta, tensors, budget).map(({ name }) => name);
    // Scores 1, 9, 2.
    assert.deepEqual(names(), ["b", "c", "a"]);
    assert.deepEqual(names(5), ["b", "c"]);
    assert.deepEqual(names(4), ["b", "c"]);
    assert.deepEqual(names(2), ["b"]);
    assert.deepEqual(names(0), []);
  });
  it("what does not fit is sent as 0", async () => {
    const { delta, silent = [] } = await partial({ budget: 10 }).train(taskOf(start, shard));
    assert.ok(delta.filter((value) => value !== 0).length <= 10);
    assert.ok(delta.some((value) => value !== 0));
    // Silent is all the rest, so that nothing else is sent for it.
    for (const { offset, size } of silent)
      assert.ok(delta.subarray(offset, offset + size).every((value) => value === 0));
    const quiet = silent.reduce((sum, { size }) => sum + size, 0);
    assert.ok(delta.length - quiet <= 10 && quiet < delta.length);
  });
  it("with all tensors local members train alone, round after round", async () => {
    const algorithm = partial({ local: model.layout.map(({ name }) => name) });
    const first = await algorithm.train(taskOf(start, shard));
    assert.ok(first.delta.every((value) => value === 0));
    const second = await algorithm.train(taskOf(start, shard, { local: first.local }));
    assert.ok(second.trainLoss < first.trainLoss);
  });
  it("refuses names that the model does not have", () => {
    assert.throws(() => partial({ local: ["layer9.weight"] }), { code: "BAD_CONFIG", message: /layer9/ });
  });
});

describe("aggregation in function space", () => {
  const unlabelled = { features: clusters(30, "unlabelled").features, size: 30 };
  const client = clientSchema.parse({ name: "functional", samples: 30 });
  const algorithm = localAlgorithm(client, PLAN, model, { unlabelled });
  const size = model.parameterCount;

  it("sends probabilities on the shared set and no weights; the model stays with the member", async () => {
    const { delta, local } = await algorithm.train(taskOf(initialState(start, algorithm.auxiliary), shard));
    assert.ok(delta.subarray(0, size).every((value) => value === 0));
    for (let row = 0; row < 30; row++) {
      const sum = delta.subarray(size + 3 * row, size + 3 * row + 3).reduce((total, value) => total + value, 0);
      assert.ok(Math.abs(sum - 1) < 1e-5);
    }
    assert.ok((await meanLoss(model, local["model"] as Float32Array, shard)) < (await meanLoss(model, start, shard)));
  });
  it("members of different architectures learn from each other where their own data say nothing", async () => {
    const wide = perceptron(4, 9, 3);
    const other = localAlgorithm(client, PLAN, wide, { unlabelled });
    // Member 2 knows class 0 only; member 1 knows all.
    const teacher = await algorithm.train(taskOf(initialState(start, algorithm.auxiliary), shard));
    const ones = [...shard.labels.keys()].filter((i) => shard.labels[i] === 0);
    const narrow = { ...shard, ...gather(shard, ones) };
    const from = gaussian(wide.parameterCount, 0.4, "wide");
    const state = new Float32Array(wide.parameterCount + 90);
    state.set(from);
    const fresh = clusters(90, "fresh");
    const lossWith = async (shared: Float32Array | undefined): Promise<number> => {
      const task = state.slice();
      if (shared !== undefined) task.set(shared, wide.parameterCount);
      const { local } = await other.train(taskOf(task, narrow, { local: { model: from } }));
      return meanLoss(wide, local["model"] as Float32Array, fresh);
    };
    const taught = await lossWith(teacher.delta.subarray(size));
    const alone = await lossWith(undefined);
    assert.ok(taught < 0.5 * alone, `${taught} against ${alone}`);
  });
  it("a model of the member's own starts where it says; the state is predictions alone, probabilities or centred logits", async () => {
    for (const says of ["probabilities", "logits"] as const) {
      const own = localAlgorithm(client, PLAN, model, { unlabelled, own: { initial: start, says } });
      assert.deepEqual(own.auxiliary, [{ name: `functional.${says}`, shape: [30, 3] }]);
      const { delta, local } = await own.train(taskOf(new Float32Array(90), shard));
      const shared = await algorithm.train(taskOf(initialState(start, algorithm.auxiliary), shard));
      // Before anything is shared, members train alike whatever they are to say.
      assert.deepEqual(local, shared.local);
      if (says === "probabilities") assert.deepEqual(delta, shared.delta.subarray(size));
      const { logits } = await model.forward(local["model"] as Float32Array, unlabelled, EVALUATION);
      for (let b = 0; b < 30; b++) {
        const [said, z] = [delta, logits].map((all) => Array.from(all.subarray(3 * b, 3 * b + 3))) as [
          number[],
          number[],
        ];
        if (says === "logits")
          near(
            said.map((value) => value - (said[0] as number)),
            z.map((value) => value - (z[0] as number)),
            1e-5,
          );
        assert.ok(Math.abs(said.reduce((sum, value) => sum + value, 0) - (says === "logits" ? 0 : 1)) < 1e-5);
      }
      assert.deepEqual(await own.personalise?.(taskOf(new Float32Array(90), shard)), start);
      await assert.rejects(own.train(taskOf(new Float32Array(89), shard)), { code: "WRONG_SHAPE" });
    }
  });
  it("shared logits teach as their softmax does", async () => {
    const teach = async (says: "probabilities" | "logits", shared: Float32Array) => {
      const own = localAlgorithm(client, PLAN, model, { unlabelled, own: { initial: start, says } });
      return (await own.train(taskOf(shared, shard))).local["model"] as Float32Array;
    };
    const odds = gaussian(90, 2, "logits");
    const soft = odds.map((value, j) => {
      const first = j - (j % 3);
      const row = Array.from(odds.subarray(first, first + 3), Math.exp);
      return Math.exp(value) / row.reduce((sum, one) => sum + one, 0);
    });
    near(await teach("logits", odds), [...(await teach("probabilities", soft))], 1e-4);
    assert.notDeepEqual(await teach("logits", odds), await teach("logits", new Float32Array(90)));
  });
  it("lifts rows to the floor and scales them to 1", () => {
    near(normalisedRows(Float32Array.of(0.5, 0.5, 0, 2, 1, 1), 3, 0.1), [5 / 11, 5 / 11, 1 / 11, 0.5, 0.25, 0.25]);
  });
  it("without the shared set, or with another, it does not train", async () => {
    const state = initialState(start, algorithm.auxiliary);
    for (const surroundings of [{}, { unlabelled: { ...unlabelled, size: 29 } }])
      await assert.rejects(localAlgorithm(client, PLAN, model, surroundings).train(taskOf(state, shard)), {
        code: "BAD_CONFIG",
      });
  });
});

describe("what travels", () => {
  it("every algorithm says whether it sends anything beside the model", () => {
    const config = { kind: "logistic", inputs: 4, classes: 3 } as const;
    const plain: TrainingPlan = { ...PLAN, momentum: 0 };
    for (const more of [
      ...["fedavg", "fedsgd", "local-sgd", "fedprox", "scaffold", "moon", "spfl", "msdfl", "hmsdfl", "fedeba"],
      ...["fedmeta", "partial", "fedpa", "sam"],
    ]
      .map((name): Record<string, unknown> => ({ name }))
      .concat(
        { name: "local-sgd", momentumState: "carried" },
        { name: "local-sgd", momentumState: "averaged" },
        { name: "fedeba", gradientAlpha: 0 },
        { name: "fedeba", modelAlpha: 0.1, switchAngle: 15 },
        { name: "fedmeta", learnRates: true },
        { name: "functional", samples: 3 },
        ...["naive", "freezeA", "stack", "svd"].map((mode) => ({ name: "lora", rank: 1, mode })),
      )) {
      const client = clientSchema.parse(more);
      assert.equal(sendsBeside(client), auxiliaryTensors(client, plain, config).length > 0, JSON.stringify(more));
    }
    assert.equal(sendsBeside(undefined), false);
  });
  it("is known from the model's shape alone", () => {
    const config = { kind: "logistic", inputs: 4, classes: 3 } as const;
    const plain: TrainingPlan = { ...PLAN, momentum: 0 };
    assert.deepEqual(auxiliaryTensors(clientSchema.parse({ name: "scaffold" }), plain, config), [
      { name: "scaffold.control", shape: [15] },
    ]);
    assert.deepEqual(auxiliaryTensors(undefined, plain, config), []);
    assert.throws(() => auxiliaryTensors(clientSchema.parse({ name: "scaffold" }), PLAN, config), {
      code: "BAD_CONFIG",
    });
  });
});
