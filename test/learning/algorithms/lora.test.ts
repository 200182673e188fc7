// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LocalAlgorithm } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { addProducts, lowRankModel, lowRankWeights } from "../../../src/learning/algorithms/lowRankModel.ts";
import { initialState, localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { TRAINING } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { clusters, gaussian, perceptron, taskOf } from "./models.ts";

const PLAN = { localSteps: 25, batchSize: 10, learningRate: 0.1, momentum: 0.5 };
const model = perceptron(4, 6, 3);
const start = gaussian(model.parameterCount, 0.4);
const lora = (more: Record<string, unknown>): LocalAlgorithm =>
  localAlgorithm(clientSchema.parse({ name: "lora", rank: 2, alpha: 4, ...more }), PLAN, model);
const MODES = ["naive", "freezeA", "stack", "svd"] as const;

describe("a model of low-rank factors", () => {
  it("r = 1, scalars (1, 1) and (−1, −1): the mean of products is 1, the product of mean factors 0", () => {
    const [weight] = lowRankWeights([{ name: "w", shape: [1, 1], offset: 0, size: 1, head: false }], 1);
    assert.ok(weight !== undefined);
    const product = (a: number, b: number): number => {
      const w = new Float32Array(1);
      addProducts(w, Float32Array.of(a, b), [weight], 1);
      return w[0] as number;
    };
    assert.equal((product(1, 1) + product(-1, -1)) / 2, 1);
    assert.equal(product(0, 0), 0);
  });
  it("the factors' gradients agree with differences", async () => {
    const weights = lowRankWeights(
      model.layout.filter(({ shape }) => shape.length === 2),
      2,
    );
    const inner = lowRankModel(model, start, weights, 1.5, "both");
    const factors = gaussian(inner.parameterCount, 0.5, "factors");
    const batch = clusters(12);
    const { gradient } = await inner.valueAndGradient(factors, batch, {}, TRAINING);
    const h = 2 ** -7;
    for (let i = 0; i < factors.length; i += 3) {
      const at = async (by: number) => {
        const moved = factors.map((value, j) => (i === j ? value + by : value));
        return (await inner.valueAndGradient(moved, batch, {}, TRAINING)).loss;
      };
      const slope = ((await at(h)) - (await at(-h))) / (2 * h);
      assert.ok(Math.abs(slope - (gradient[i] as number)) < 1e-3, `[${i}] ${gradient[i]}, not ${slope}`);
    }
  });
});

describe("LoRA", () => {
  /** Rounds of two members with different data, aggregated by the plain mean; the model that members would use. */
  async function play(algorithm: LocalAlgorithm, rounds: number) {
    let state = initialState(start, algorithm.auxiliary);
    const shards = [clusters(60, "one"), clusters(60, "two")];
    for (let round = 1; round <= rounds; round++) {
      const deltas = await Promise.all(
        shards.map(async (shard, i) => {
          const task = taskOf(state, shard, { round, random: keyedRandom("member", round, i) });
          return (await algorithm.train(task)).delta;
        }),
      );
      state = state.map((value, j) => value + deltas.reduce((sum, delta) => sum + (delta[j] as number) / 2, 0));
    }
    const own = await algorithm.personalise?.(taskOf(state, shards[0] as (typeof shards)[0]));
    return { state, own: own as Float32Array };
  }
  for (const mode of MODES) {
    it(`${mode}: learns, and moves nothing but weight matrices`, async () => {
      const { own, state } = await play(lora({ mode }), 4);
      const fresh = clusters(100, "fresh");
      assert.ok((await meanLoss(model, own, fresh)) < 0.6 * (await meanLoss(model, start, fresh)));
      for (const { name, offset, size, shape } of model.layout) {
        const part = own.subarray(offset, offset + size);
        if (shape.length === 1) assert.deepEqual(part, start.subarray(offset, offset + size), name);
      }
      // Only a stack is folded into the model itself.
      const moved = state.subarray(0, model.parameterCount).some((value, i) => value !== start[i]);
      assert.equal(moved, mode === "stack");
    });
  }
  it("freezeA: the mean of B is the mean of products, exactly", async () => {
    const algorithm = lora({ mode: "freezeA" });
    const begin = initialState(start, algorithm.auxiliary);
    const states = await Promise.all(
      ["one", "two"].map(async (name) => {
        const { delta } = await algorithm.train(taskOf(begin, clusters(60, name)));
        return begin.map((value, j) => value + (delta[j] as number));
      }),
    );
    const ownOf = async (state: Float32Array) =>
      (await algorithm.personalise?.(taskOf(state, clusters(60)))) as Float32Array;
    const [one, two] = [await ownOf(states[0] as Float32Array), await ownOf(states[1] as Float32Array)];
    const mean = await ownOf(begin.map((_, j) => ((states[0]?.[j] as number) + (states[1]?.[j] as number)) / 2));
    for (const [j, value] of mean.entries())
      assert.ok(Math.abs(value - ((one[j] as number) + (two[j] as number)) / 2) < 1e-6);
  });
  it("stack: what a member sends has the rank of its factors", async () => {
    const { delta } = await lora({ mode: "stack", rank: 1, tensors: ["layer1.weight"] }).train(
      taskOf(start, clusters(60)),
    );
    // Every 2×2 minor of the 6×4 weight vanishes.
    const at = (i: number, j: number) => delta[i * 4 + j] as number;
    assert.ok(delta.some((value) => Math.abs(value) > 1e-3));
    for (let i = 1; i < 6; i++)
      for (let j = 1; j < 4; j++) assert.ok(Math.abs(at(0, 0) * at(i, j) - at(0, j) * at(i, 0)) < 1e-7);
    assert.ok(delta.subarray(24).every((value) => value === 0));
  });
  it("svd: a member starts from the mean of products where its rank allows it", async () => {
    const algorithm = lora({ mode: "svd", rank: 3, tensors: ["layer1.weight"] });
    const still = { ...PLAN, learningRate: 1e-9, localSteps: 1 };
    const client = clientSchema.parse({ name: "lora", rank: 3, alpha: 4, mode: "svd", tensors: ["layer1.weight"] });
    const { state } = await play(lora({ mode: "svd", rank: 1, tensors: ["layer1.weight"] }), 1);
    // Two products of rank 1: rank 3 holds them, so without training nothing is to be sent.
    const { delta } = await localAlgorithm(client, still, model).train(taskOf(state, clusters(60)));
    assert.ok(delta.every((value) => Math.abs(value) < 1e-5));
    assert.equal(algorithm.auxiliary[0]?.name, "lora.layer1.weight.product");
  });
  it("refuses ranks above an extent and names that are no weight matrices", () => {
    for (const more of [{ rank: 7 }, { rank: 4, tensors: ["layer2.weight"] }, { tensors: ["layer1.bias"] }])
      assert.throws(() => lora(more), { code: "BAD_CONFIG" });
  });
});
