// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { keptBlocks } from "../../../src/learning/algorithms/dropPeft.ts";
import { banditState, chooseArm, rewarded } from "../../../src/learning/algorithms/dropPeftBandit.ts";
import { thinned } from "../../../src/learning/algorithms/dropPeftBlocks.ts";
import type { LocalAlgorithm } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { drawMasks } from "../../../src/learning/dropout.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { accuracy } from "../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import { EVALUATION, type LearningEngine, type Mode, type Model } from "../../../src/learning/model.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { taskOf } from "./models.ts";

const CONFIG: ModelConfig & { kind: "transformer" } = {
  kind: "transformer",
  inputs: 5,
  vocabulary: 9,
  width: 6,
  heads: 2,
  feedForward: 8,
  blocks: 4,
  normalisation: "pre",
  classes: 2,
  dropout: 0.1,
  adapters: { width: 2 },
};
const PLAN: TrainingPlan = { localEpochs: 1, batchSize: 8, learningRate: 0.05, momentum: 0.5 };

/** Texts of five tokens; the class is whether token 1 is among them. */
function texts(size: number): Dataset {
  const random = keyedRandom("texts", size);
  const features = Float32Array.from({ length: size * 5 }, () => 2 + random.integerBelow(7));
  const labels = Int32Array.from({ length: size }, (_, b) => {
    const label = random.integerBelow(2);
    if (label === 1) features[b * 5 + random.integerBelow(5)] = 1;
    return label;
  });
  return { features, labels, inputs: 5, classes: 2, size };
}

let engine: LearningEngine;
let model: Model;
before(async () => {
  engine = await createOnnxNodeEngine();
  model = await engine.load(CONFIG);
});
after(() => engine.dispose());

/** Every value away from its start, so that adapters and biases do something. */
function parametersOf({ config, parameterCount }: Model): Float32Array {
  const random = keyedRandom("parameters", parameterCount);
  return initialiseParameters(config, random).map((value) => value + 0.1 * random.normal());
}

const blockOf = (name: string): number => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? -1);

/** The same network with nothing coming out of a block's two branches: what a skip connection alone is. */
function silenced(parameters: Float32Array, block: number): Float32Array {
  const result = parameters.slice();
  for (const { name, offset, size } of model.layout)
    if (blockOf(name) === block && /out_proj|linear2|adapter\d\.(up|down\.bias)/.test(name))
      result.fill(0, offset, offset + size);
  return result;
}

function assertClose(actual: Float32Array, expected: Float32Array, what: string): void {
  for (const [i, value] of actual.entries())
    assert.ok(Math.abs(value - (expected[i] as number)) < 1e-5, `${what}[${i}]: ${value}, not ${expected[i]}`);
}

describe("a transformer without some of its blocks", () => {
  const batch = texts(7);
  const training = (): Mode => ({ phase: "train", masks: drawMasks(CONFIG, 7, keyedRandom("masks")) });

  it("computes what the network does whose block adds nothing to the stream", async () => {
    const parameters = parametersOf(model);
    const thin = await thinned(model, [0, 2, 3]);
    for (const mode of [EVALUATION, training()]) {
      const { logits } = await thin.forward(parameters, batch, mode);
      assertClose(logits, (await model.forward(silenced(parameters, 1), batch, mode)).logits, "logits");
      const other = (await model.forward(parameters, batch, mode)).logits;
      assert.ok(other.some((value, i) => Math.abs(value - (logits[i] as number)) > 1e-3));
    }
  });

  it("gives the block's parameters gradient 0, and the others theirs", async () => {
    const parameters = parametersOf(model);
    const thin = await thinned(model, [0, 3]);
    const found = await thin.valueAndGradient(parameters, batch, {}, training());
    const quiet = silenced(silenced(parameters, 1), 2);
    const expected = await model.valueAndGradient(quiet, batch, {}, training());
    assert.ok(Math.abs(found.loss - expected.loss) < 1e-6);
    for (const { name, offset, size } of model.layout) {
      const part = found.gradient.subarray(offset, offset + size);
      if ([1, 2].includes(blockOf(name)))
        assert.ok(
          part.every((value) => Object.is(value, 0)),
          name,
        );
      else {
        assert.ok(
          part.some((value) => value !== 0),
          name,
        );
        assertClose(part, expected.gradient.subarray(offset, offset + size), name);
      }
    }
  });

  it("restricts the gradient to the tensors asked for, also where they are left out", async () => {
    const thin = await thinned(model, [0, 3]);
    const trainable = ["encoder.layers.1.linear1.weight", "encoder.layers.3.linear1.weight"];
    const { gradient } = await thin.valueAndGradient(parametersOf(model), batch, { trainable }, training());
    for (const { name, offset, size } of model.layout)
      assert.equal(
        gradient.subarray(offset, offset + size).some((value) => value !== 0),
        name === trainable[1],
        name,
      );
  });

  it("with all blocks is the model itself", async () => assert.equal(await thinned(model, [0, 1, 2, 3]), model));

  it("keeps the first and the last block, in order, whatever the rate", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 24 }),
        fc.double({ min: 0, max: 0.95, noNaN: true }),
        fc.nat(),
        (n, p, seed) => {
          const kept = keptBlocks(n, p, keyedRandom("kept", seed));
          assert.equal(kept[0], 0);
          assert.equal(kept.at(-1), n - 1);
          assert.ok(kept.every((block, i) => i === 0 || block > (kept[i - 1] as number)));
          if (p === 0) assert.equal(kept.length, n);
        },
      ),
    ));

  it("leaves inner blocks out as often as the rate says", () => {
    const random = keyedRandom("rate");
    const kept = Array.from({ length: 1000 }, (_, k) => keptBlocks(12, 0.25, random.derive(k)).length - 2);
    // 10 000 draws: 0.0043 is the standard error.
    assert.ok(Math.abs(kept.reduce((sum, count) => sum + count, 0) / 10_000 - 0.75) < 0.02);
  });
});

describe("the bandit", () => {
  it("tries every arm once, in order, then the best of them", () => {
    let state = banditState(undefined, 3);
    for (const [arm, reward] of [0.1, 0.3, 0.2].entries()) {
      assert.equal(chooseArm(state, 0, keyedRandom("any")), arm);
      state = rewarded(state, arm, reward, 5);
    }
    assert.equal(chooseArm(state, 0, keyedRandom("any")), 1);
    assert.deepEqual([...state], [1, 0.1, 1, 0.3, 1, 0.2].map(Math.fround));
  });

  it("takes the arm with the best noisy reward nearly always, and explores with ε", () => {
    const random = keyedRandom("bandit");
    const means = [0.2, 0.5, 0.4];
    let state = banditState(undefined, 3);
    const chosen = [0, 0, 0];
    for (let k = 0; k < 1000; k++) {
      const arm = chooseArm(state, 0.1, random.derive("choice", k));
      chosen[arm] = (chosen[arm] as number) + 1;
      state = rewarded(state, arm, (means[arm] as number) + 0.02 * random.normal(), 5);
    }
    // 1 − ε + ε/3 of the plays.
    assert.ok(Math.abs((chosen[1] as number) / 1000 - 0.933) < 0.04, `${chosen}`);
    assert.ok(
      chosen.every((count) => count > 10),
      `${chosen}`,
    );
  });

  it("forgets: the plain mean of the first rewards, then one of the last", () => {
    let state = banditState(undefined, 1);
    for (const reward of [1, 2, 3]) state = rewarded(state, 0, reward, 3);
    assert.deepEqual([...state], [3, 2]);
    // 2 + (5 − 2)/3.
    assert.deepEqual([...rewarded(state, 0, 5, 3)], [4, 3]);
  });

  it("starts anew where what is remembered is of another number of arms", () => {
    assert.deepEqual([...banditState(Float32Array.of(1, 2), 3)], [0, 0, 0, 0, 0, 0]);
  });
});

describe("DropPEFT", () => {
  const droppeft = (more: Record<string, unknown> = {}, of: Model = model, plan = PLAN): LocalAlgorithm =>
    localAlgorithm(clientSchema.parse({ name: "droppeft", ...more }), plan, of);
  const shard = texts(40);

  it("with p = 0 is FedAvg, and with adapters alone the algorithm of that name, bit for bit", async () => {
    const task = taskOf(parametersOf(model), shard);
    for (const [trains, client] of [
      ["model", undefined],
      ["adapters", clientSchema.parse({ name: "adapters" })],
    ] as const) {
      const plain = await localAlgorithm(client, PLAN, model).train(task);
      // A rate above 0 at which no block ever goes takes the way through the thinned network.
      for (const rate of [0, 1e-15]) {
        const { delta, trainLoss } = await droppeft({ rates: [rate], trains }).train(task);
        assert.deepEqual(delta, plain.delta, `${trains} ${rate}`);
        assert.equal(trainLoss, plain.trainLoss);
      }
    }
  });

  it("computes no block that is left out: steps run on networks of fewer blocks", async () => {
    const blocks: number[] = [];
    const counting = (inner: Model): Model => ({
      config: inner.config,
      layout: inner.layout,
      parameterCount: inner.parameterCount,
      forward: (...call) => inner.forward(...call),
      valueAndGradient: (...call) => {
        blocks.push((inner.config as typeof CONFIG).blocks);
        return inner.valueAndGradient(...call);
      },
      variant: async (config) => counting((await inner.variant?.(config)) as Model),
    });
    const task = taskOf(parametersOf(model), shard);
    const { delta, local } = await droppeft({ rates: [0.5] }, counting(model)).train(task);
    assert.equal(blocks.length, 5);
    assert.ok(blocks.some((count) => count < 4) && blocks.every((count) => count >= 2), `${blocks}`);
    // The reward is the accuracy gained over the share of the network that was computed.
    const reached = task.state.map((value, i) => value + (delta[i] as number));
    const gained = (await accuracy(model, reached, shard)) - (await accuracy(model, task.state, shard));
    const cost = blocks.reduce((sum, count) => sum + count, 0) / (5 * 4);
    assert.ok(cost < 1);
    const [plays, mean] = local["bandit"] as Float32Array;
    assert.equal(plays, 1);
    assert.ok(Math.abs((mean as number) - gained / cost) < 1e-6, `${mean} ${gained} ${cost}`);
  });

  it("learns, remembers each round's arm at the member, and is repeated exactly", async () => {
    const plan: TrainingPlan = { localEpochs: 4, batchSize: 8, learningRate: 0.1, momentum: 0.9 };
    const run = async () => {
      let [state, local] = [initialiseParameters(CONFIG, keyedRandom("start")), {}];
      for (let round = 1; round <= 5; round++) {
        const task = taskOf(state, texts(120), { round, local, random: keyedRandom("round", round) });
        const outcome = await droppeft({}, model, plan).train(task);
        state = state.map((value, i) => value + (outcome.delta[i] as number));
        local = outcome.local;
      }
      return { state, local };
    };
    const { state, local } = await run();
    const plays = (local as Record<string, Float32Array>)["bandit"]?.filter((_, i) => i % 2 === 0) as Float32Array;
    assert.equal(
      plays.reduce((sum, count) => sum + count, 0),
      5,
    );
    assert.ok(plays.every((count) => count >= 1));
    assert.ok((await accuracy(model, state, texts(200))) > 0.9);
    assert.deepEqual(await run(), { state, local });
    assert.deepEqual(droppeft().auxiliary, []);
  });

  it("moves adapters alone where told", async () => {
    const task = taskOf(parametersOf(model), shard);
    const { delta } = await droppeft({ rates: [0.5], trains: "adapters" }).train(task);
    for (const { name, offset, size, adapter } of model.layout)
      assert.equal(
        delta.subarray(offset, offset + size).some((value) => value !== 0),
        adapter === true,
        name,
      );
  });

  it("BAD_CONFIG: models without blocks to leave out; UNSUPPORTED: an engine with one model", async () => {
    const mlp = await engine.load({ kind: "mlp", inputs: 4, hidden: [3], classes: 2, activation: "relu" });
    assert.throws(() => droppeft({}, mlp), { code: "BAD_CONFIG", message: /the model is a mlp/ });
    const shallow = await engine.load({ ...CONFIG, blocks: 2 });
    assert.throws(() => droppeft({}, shallow), { code: "BAD_CONFIG", message: /first and the last/ });
    const { adapters: _, ...plain } = CONFIG;
    const without = await engine.load(plain);
    assert.throws(() => droppeft({ trains: "adapters" }, without), { code: "BAD_CONFIG", message: /no adapters/ });
    const { config, layout, parameterCount } = model;
    const alone: Model = {
      config,
      layout,
      parameterCount,
      forward: (...call) => model.forward(...call),
      valueAndGradient: (...call) => model.valueAndGradient(...call),
    };
    const task = taskOf(parametersOf(model), shard);
    await assert.rejects(droppeft({ rates: [0.9] }, alone).train(task), { code: "UNSUPPORTED" });
  });
});
