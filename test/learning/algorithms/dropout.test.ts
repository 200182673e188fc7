// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { initialState, localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { clusters, taskOf } from "./models.ts";

const CONFIG: ModelConfig = { kind: "mlp", inputs: 4, hidden: [8], classes: 3, activation: "relu", dropout: 0.3 };
const PLAN = { localEpochs: 2, batchSize: 8, learningRate: 0.05, momentum: 0 };
const CLIENTS: readonly ({ readonly name: string } & Record<string, unknown>)[] = [
  { name: "fedavg" },
  { name: "fedsgd" },
  { name: "local-sgd" },
  { name: "fedprox" },
  { name: "scaffold" },
  { name: "moon" },
  { name: "spfl", permutationWeight: 0, align: false },
  { name: "msdfl", form: "exact" },
  { name: "msdfl" },
  { name: "hmsdfl" },
  { name: "fedeba" },
  { name: "fedmeta", order: "hessian" },
  { name: "partial", local: ["layer2.bias"] },
  { name: "lora", rank: 2 },
  { name: "fedpa", samples: 3 },
  { name: "functional", samples: 10 },
  { name: "sam" },
];

describe("every client algorithm on a real engine, with dropout", () => {
  let engine: LearningEngine;
  let model: Model;
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
  });
  after(() => engine.dispose());

  // Twenty samples in batches of eight: the last has four.
  const shard = clusters(20);
  const unlabelled = { features: clusters(10).features, size: 10 };
  for (const client of CLIENTS) {
    it(`${client.name} ${client["form"] ?? ""}: two rounds, the same again from the same stream`, async () => {
      const algorithm = localAlgorithm(clientSchema.parse(client), PLAN, model, { unlabelled });
      const start = initialState(initialiseParameters(CONFIG, keyedRandom("start")), algorithm.auxiliary);
      const copy = start.slice();
      const first = await algorithm.train(taskOf(start, shard));
      assert.equal(first.delta.length, start.length);
      assert.ok(first.delta.every((value) => Number.isFinite(value) && !Object.is(value, -0)));
      assert.ok(first.delta.some((value) => value !== 0));
      assert.deepEqual(await algorithm.train(taskOf(start, shard)), first);
      assert.deepEqual(start, copy);
      const state = start.map((value, i) => value + (first.delta[i] as number));
      const second = await algorithm.train(taskOf(state, shard, { round: 2, local: first.local }));
      assert.ok(second.delta.every(Number.isFinite));
    });
  }

  it("masks follow the member's stream", async () => {
    const algorithm = localAlgorithm(undefined, { ...PLAN, localEpochs: 1, batchSize: 20 }, model);
    const start = initialiseParameters(CONFIG, keyedRandom("start"));
    // One batch of the whole shard: its order changes rounding at most, its masks much more.
    const [one, other] = await Promise.all(
      ["one", "other"].map((name) => algorithm.train(taskOf(start, shard, { random: keyedRandom(name) }))),
    );
    const apart = one?.delta.map((value, i) => Math.abs(value - (other?.delta[i] as number))) as Float32Array;
    assert.ok(Math.max(...apart) > 1e-3);
  });
});
