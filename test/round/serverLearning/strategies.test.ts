// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import {
  asyncSchema,
  ensembleSchema,
  isEnsemble,
  type ServerStrategyConfig,
  serverSchema,
  serverStrategySchema,
} from "../../../src/round/serverLearning/serverConfig.ts";
import { type ServerResources, serverStrategyOf } from "../../../src/round/serverLearning/strategies.ts";
import type { MemberUpdate, ServerStrategy } from "../../../src/round/serverLearning/strategy.ts";
import { CONFIG, clusters, honestUpdates, mean, PLAN, train } from "./federation.ts";

/** Every strategy, small enough for a test. */
const SMALL: Readonly<Record<string, Record<string, unknown>>> = {
  "fltrust-root": { samples: 30 },
  fedredefense: { core: { kind: "probes", probes: 4 } },
  "fedredefense, distilled": { core: { kind: "distilled", iterations: 3, threshold: { kind: "mad" } } },
  feddf: { steps: 5, batchSize: 16 },
  fedmcon: { steps: 3 },
  pfedgpa: { minVectors: 4, components: 3, training: { steps: 5, hidden: 8 } },
};

const configOf = (name: string): ServerStrategyConfig =>
  serverStrategySchema.parse({ name: name.split(",")[0], ...SMALL[name] });

describe("server strategies", () => {
  let engine: LearningEngine;
  let model: Model;
  let resources: ServerResources;
  let updates: readonly MemberUpdate[];
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  before(async () => {
    engine = await createOnnxNodeEngine();
    model = await engine.load(CONFIG);
    updates = await honestUpdates(model, start, 5);
    resources = {
      model,
      plan: PLAN,
      trusted: clusters("trusted", 40),
      unlabelled: clusters("unlabelled", 40),
      random: keyedRandom("run"),
    };
  });
  after(() => engine.dispose());

  const aggregateWith = (
    strategy: ServerStrategy,
    given: readonly MemberUpdate[] = updates,
    state = strategy.initial,
  ) =>
    strategy.aggregate(state, {
      round: 1,
      parameters: start,
      updates: given,
      random: keyedRandom("round", 1),
      base: mean,
    });

  for (const name of Object.keys(SMALL)) {
    it(`${name}: finite, of the model's size, the same from the same inputs, which stay as they were`, async () => {
      const before = structuredClone({ start, updates });
      const strategy = serverStrategyOf(configOf(name), resources);
      const first = await aggregateWith(strategy);
      const second = await aggregateWith(serverStrategyOf(configOf(name), resources));
      assert.deepEqual(second, first);
      assert.deepEqual({ start, updates }, before);
      assert.equal(first.outcome.delta.length, model.parameterCount);
      assert.ok(first.outcome.delta.every(Number.isFinite));
      assert.equal(first.outcome.kept.length, updates.length);
      await aggregateWith(strategy, updates, first.state);
    });

    it(`${name}: auxiliary tensors after the model move by the members' mean`, async () => {
      const longer = updates.map((update) => ({
        ...update,
        delta: Float64Array.from([...update.delta, 1, update.member]),
      }));
      const { outcome } = await aggregateWith(serverStrategyOf(configOf(name), resources), longer);
      assert.equal(outcome.delta.length, model.parameterCount + 2);
      const [one, id] = outcome.delta.slice(-2);
      const kept = longer.filter((_, k) => outcome.kept[k]).map(({ member }) => member);
      assert.ok(Math.abs((one as number) - 1) < 1e-12);
      assert.ok(Math.abs((id as number) - kept.reduce((sum, member) => sum + member, 0) / kept.length) < 1e-12);
    });

    it(`${name}: one member, two members, updates of zeros`, async () => {
      const strategy = serverStrategyOf(configOf(name), resources);
      for (const few of [updates.slice(0, 1), updates.slice(0, 2)]) {
        const { outcome } = await aggregateWith(strategy, few);
        assert.ok(outcome.kept.includes(true) && outcome.delta.every(Number.isFinite));
      }
      const still = updates.map((update) => ({ ...update, delta: new Float64Array(start.length) }));
      assert.ok((await aggregateWith(strategy, still)).outcome.delta.every(Number.isFinite));
    });

    it(`${name}: refuses no updates, and values that are not finite`, async () => {
      const strategy = serverStrategyOf(configOf(name), resources);
      await assert.rejects(aggregateWith(strategy, []), { code: "TOO_FEW_UPDATES" });
      const [first] = updates as [MemberUpdate];
      const bad = [{ ...first, delta: Float64Array.from(first.delta).with(3, Number.NaN) }, ...updates.slice(1)];
      await assert.rejects(aggregateWith(strategy, bad), { code: "BAD_INPUT" });
    });
  }

  for (const name of ["fltrust-root", "fedredefense", "fedredefense, distilled", "pfedgpa"])
    it(`${name}: equal updates come out as they are, nobody dropped`, async () => {
      const [first] = updates as [MemberUpdate];
      const equal = updates.map((update) => ({ ...update, delta: first.delta }));
      const { outcome } = await aggregateWith(serverStrategyOf(configOf(name), resources), equal);
      assert.ok(outcome.kept.every((kept) => kept));
      assert.ok(outcome.delta.every((value, j) => Math.abs(value - (first.delta[j] as number)) < 1e-12));
    });

  it("take models with dropout, whose units a server's own gradients keep, and with other architectures", async () => {
    const cnn: ModelConfig = {
      kind: "cnn",
      inputs: 16,
      image: { channels: 1, height: 4, width: 4 },
      convolutions: [{ channels: 2, kernel: 3, padding: "same", pool: 2 }],
      pool: "max",
      hidden: [6],
      classes: 3,
      activation: "relu",
      dropout: 0.2,
    };
    const images = (seed: string) => {
      const { features, labels } = clusters(seed, 40);
      const random = keyedRandom(seed);
      // Four values of a sample, each a row of its image, and noise.
      const pixels = Float32Array.from({ length: 40 * 16 }, (_, i) => (features[i >> 2] as number) + random.normal());
      return { features: pixels, labels, inputs: 16, classes: 3, size: 40 };
    };
    const model = await engine.load(cnn);
    const state = initialiseParameters(cnn, keyedRandom("start"));
    const sent: MemberUpdate[] = [];
    for (const member of [0, 1, 2, 3]) {
      const { delta } = await train(model, state, images(`shard ${member}`), 3, member);
      sent.push({ member, delta, samples: 40 });
    }
    const own = { ...resources, model, trusted: images("trusted"), unlabelled: images("unlabelled") };
    for (const name of Object.keys(SMALL)) {
      const strategy = serverStrategyOf(configOf(name), own);
      const round = { round: 1, parameters: state, updates: sent, random: keyedRandom("round", 1), base: mean };
      const { outcome } = await strategy.aggregate(strategy.initial, round);
      assert.ok(outcome.delta.every(Number.isFinite) && outcome.delta.some((value) => value !== 0), name);
    }
  });

  it("refuse synthetic samples for a model of tokens", async () => {
    const words = await engine.load({ kind: "bagOfEmbeddings", inputs: 5, vocabulary: 20, width: 4, classes: 3 });
    assert.throws(
      () => serverStrategyOf(configOf("fedredefense, distilled"), { model: words, random: keyedRandom("run") }),
      { code: "BAD_CONFIG" },
    );
  });

  it("say what a server lacks", () => {
    const poor = { model, random: keyedRandom("run") };
    for (const [name, lacks] of [
      ["fltrust-root", /trusted root set/],
      ["fedredefense", /probes/],
      ["feddf", /unlabelled/],
      ["fedmcon", /proxy set/],
    ] as const)
      assert.throws(() => serverStrategyOf(serverStrategySchema.parse({ name }), poor), lacks);
  });
});

describe("serverSchema", () => {
  it("has the specification's defaults", () => {
    const parsed = (name: string) => serverSchema.parse({ name }) as Record<string, unknown>;
    assert.equal(parsed("fltrust-root")["samples"], 100);
    const threshold = { kind: "mad", k: 3 };
    assert.deepEqual(parsed("fedredefense")["core"], { kind: "probes", probes: 32, ridge: 1e-3, threshold });
    const distilled = serverSchema.parse({ name: "fedredefense", core: { kind: "distilled" } });
    assert.ok(distilled.name === "fedredefense" && distilled.core.kind === "distilled");
    assert.deepEqual(distilled.core.threshold, { kind: "fixed", limit: 0.6 });
    assert.equal(distilled.core.perClass, 1);
    const { steps, learningRate, batchSize } = parsed("feddf");
    assert.deepEqual([steps, learningRate, batchSize], [300, 1e-3, 128]);
    assert.equal(parsed("flcert-d")["groups"], 5);
    assert.deepEqual(ensembleSchema.parse({ name: "flcert-p" }), {
      name: "flcert-p",
      groups: 500,
      groupSize: 10,
      alpha: 1e-3,
    });
    const { kappa, components, windowRounds, minVectors } = parsed("pfedgpa");
    assert.deepEqual([kappa, components, windowRounds, minVectors], [0.3, 32, 20, 50]);
    const fedbuff = asyncSchema.parse({ name: "fedbuff" });
    assert.ok(fedbuff.name === "fedbuff" && fedbuff.buffer === 10 && fedbuff.maxStaleness === 20);
    assert.deepEqual(fedbuff.staleness, { decay: "polynomial", exponent: 0.5 });
  });

  it("tells ensembles from strategies", () => {
    const names = ["flcert-d", "flcert-p", ...Object.keys(SMALL).filter((name) => !name.includes(",")), "functional"];
    assert.deepEqual(
      names.filter((name) => isEnsemble(serverSchema.parse({ name }))),
      ["flcert-d", "flcert-p"],
    );
  });

  it("refuses unknown names and fields, and numbers out of bounds", () => {
    for (const bad of [
      { name: "fedsomething" },
      { name: "feddf", temperature: 2 },
      { name: "feddf", learningRate: 0 },
      { name: "pfedgpa", kappa: 1.5 },
      { name: "flcert-d", groups: 0 },
      { name: "fedredefense", core: { kind: "probes", ridge: 0 } },
    ])
      assert.equal(serverSchema.safeParse(bad).success, false, JSON.stringify(bad));
  });
});
