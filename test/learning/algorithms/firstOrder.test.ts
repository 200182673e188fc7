// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LocalState } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import { type ClientConfig, clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../../src/protocol/recipe/trainingConfig.ts";
import { points, quadratic, taskOf } from "./models.ts";

const near = (actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= tolerance, `${Array.from(actual)}, not ${expected}`);
};
const plan = (localSteps: number, learningRate: number, momentum = 0): TrainingPlan => ({
  localSteps,
  batchSize: 1,
  learningRate,
  momentum,
});
const config = (value: { name: string } & Record<string, unknown>): ClientConfig => clientSchema.parse(value);

describe("FedSGD", () => {
  it("F = ½(w−a)², a = 0 and 4, w = 1, η = 0.5: the mean of the updates leads to 1.5", async () => {
    const algorithm = localAlgorithm(config({ name: "fedsgd" }), plan(9, 0.5, 0.9), quadratic());
    const [one, other] = await Promise.all(
      [points(0), points(4)].map((shard) => algorithm.train(taskOf(Float32Array.of(1), shard))),
    );
    // g = 1 and −3.
    near([...(one?.delta ?? []), ...(other?.delta ?? [])], [-0.5, 1.5]);
  });
  it("takes the mean gradient over a share of the shard, drawn without replacement", async () => {
    const seen: number[][] = [];
    const algorithm = localAlgorithm(config({ name: "fedsgd", fraction: 0.5 }), plan(1, 1), quadratic(1, seen));
    const { delta, trainLoss } = await algorithm.train(taskOf(Float32Array.of(0), points(1, 2, 4, 8)));
    const [batch] = seen as [number[]];
    assert.equal(new Set(batch).size, 2);
    near(delta, [((batch[0] as number) + (batch[1] as number)) / 2]);
    assert.ok(trainLoss > 0);
  });
  it("adds the plan's weight decay", async () => {
    const decayed: TrainingPlan = { ...plan(1, 0.1), weightDecay: 0.5 };
    const algorithm = localAlgorithm(config({ name: "fedsgd" }), decayed, quadratic());
    near((await algorithm.train(taskOf(Float32Array.of(2), points(1)))).delta, [-0.2]);
  });
  it("refuses an optimiser whose step is no multiple of the gradient", () => {
    const adam: TrainingPlan = { ...plan(1, 1), optimiser: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    assert.throws(() => localAlgorithm(config({ name: "fedsgd" }), adam, quadratic()), { code: "BAD_CONFIG" });
  });
});

describe("local SGD", () => {
  it("carries its momentum into the next round only if told to, and keeps it to itself", async () => {
    // One step a round on f = w²/2 from 1, η = .1, β = .9: with the momentum the way of B2, without it plain steps.
    for (const [more, expected] of [
      [{ momentumState: "carried" }, [0.9, 0.72, 0.486]],
      [{ momentumState: "reset" }, [0.9, 0.81, 0.729]],
      [{}, [0.9, 0.81, 0.729]],
    ] as const) {
      const algorithm = localAlgorithm(config({ name: "local-sgd", ...more }), plan(1, 0.1, 0.9), quadratic());
      assert.deepEqual(algorithm.auxiliary, []);
      let [w, local]: [number, LocalState] = [1, {}];
      const way: number[] = [];
      for (let round = 1; round <= 3; round++) {
        const outcome = await algorithm.train(taskOf(Float32Array.of(w), points(0), { round, local }));
        w += outcome.delta[0] as number;
        local = outcome.local;
        way.push(w);
      }
      near(way, expected);
      assert.deepEqual(
        Object.keys(local),
        "momentumState" in more && more.momentumState === "carried" ? ["momentum"] : [],
      );
    }
  });
  it("averaged: members start from the mean of their momenta, which travels, and keep nothing", async () => {
    const algorithm = localAlgorithm(
      config({ name: "local-sgd", momentumState: "averaged" }),
      plan(2, 0.1, 0.9),
      quadratic(),
    );
    assert.deepEqual(algorithm.auxiliary, [{ name: "momentum", shape: [1] }]);
    // Data at 0 and 4, weights ¼ and ¾, η = .1, β = .9, two steps a round from w = 1.
    const weights = [0.25, 0.75];
    let state = Float32Array.of(1, 0);
    const rounds: { ends: number[]; momenta: number[]; state: number[] }[] = [];
    for (let round = 1; round <= 2; round++) {
      const outcomes = await Promise.all([0, 4].map((a) => algorithm.train(taskOf(state, points(a), { round }))));
      const [w, m] = state as unknown as [number, number];
      for (const { local } of outcomes) assert.deepEqual(local, {});
      state = state.map(
        (value, j) =>
          value + outcomes.reduce((sum, { delta }, i) => sum + (weights[i] as number) * (delta[j] as number), 0),
      );
      rounds.push({
        ends: outcomes.map(({ delta }) => w + (delta[0] as number)),
        momenta: outcomes.map(({ delta }) => m + (delta[1] as number)),
        state: [...state],
      });
    }
    const [first, second] = rounds;
    // m: 1, then .9 + .9 = 1.8, and −3, then −2.7 − 2.7 = −5.4; w: .9, .72 and 1.3, 1.84. Means 1.56 and −3.6.
    near(first?.momenta ?? [], [1.8, -5.4]);
    near(first?.ends ?? [], [0.72, 1.84]);
    near(first?.state ?? [], [1.56, -3.6]);
    // From 1.56 with m = −3.6: −3.24 + 1.56 = −1.68, w = 1.728; −1.512 + 1.728 = .216, w = 1.7064.
    // −3.24 − 2.44 = −5.68, w = 2.128; −5.112 − 1.872 = −6.984, w = 2.8264.
    near(second?.momenta ?? [], [0.216, -6.984]);
    near(second?.ends ?? [], [1.7064, 2.8264]);
    near(second?.state ?? [], [0.25 * 1.7064 + 0.75 * 2.8264, 0.25 * 0.216 - 0.75 * 6.984]);
  });
  it("refuses momentum that outlives a round where the optimiser has none", () => {
    const sm3: TrainingPlan = { ...plan(1, 1), optimiser: "sm3", epsilon: 1e-3, initialAccumulator: 0 };
    for (const momentumState of ["carried", "averaged"])
      assert.throws(() => localAlgorithm(config({ name: "local-sgd", momentumState }), sm3, quadratic()), {
        code: "BAD_CONFIG",
        message: new RegExp(`momentumState ${momentumState} needs momentum`),
      });
    localAlgorithm(config({ name: "local-sgd" }), sm3, quadratic());
  });
});

describe("FedAvg", () => {
  it("takes as many epochs as planned, the last batch of each smaller, or left out", async () => {
    for (const [dropLast, sizes] of [
      [false, [2, 2, 1, 2, 2, 1]],
      [true, [2, 2, 2, 2]],
    ] as const) {
      const seen: number[][] = [];
      const epochs: TrainingPlan = { localEpochs: 2, batchSize: 2, learningRate: 0.1, momentum: 0, dropLast };
      await localAlgorithm(undefined, epochs, quadratic(1, seen)).train(
        taskOf(Float32Array.of(0), points(1, 2, 3, 4, 5)),
      );
      assert.deepEqual(
        seen.map(({ length }) => length),
        sizes,
      );
    }
  });
  it("does not drop the only batch of a small shard", async () => {
    const seen: number[][] = [];
    const epochs: TrainingPlan = { localEpochs: 1, batchSize: 8, learningRate: 0.1, momentum: 0, dropLast: true };
    await localAlgorithm(undefined, epochs, quadratic(1, seen)).train(taskOf(Float32Array.of(0), points(1, 2)));
    assert.deepEqual(
      seen.map(({ length }) => length),
      [2],
    );
  });
  it("adds weight decay to the gradient", async () => {
    const decayed: TrainingPlan = { ...plan(1, 0.1), weightDecay: 0.5 };
    const { delta } = await localAlgorithm(undefined, decayed, quadratic()).train(
      taskOf(Float32Array.of(2), points(1)),
    );
    // g = (2 − 1) + 0.5·2.
    near(delta, [-0.2]);
  });
  it("never sends −0", async () => {
    const { delta } = await localAlgorithm(undefined, plan(1, 0.1), quadratic()).train(
      taskOf(Float32Array.of(-0), points(0)),
    );
    assert.ok(Object.is(delta[0], 0));
  });
  it("follows Adam: the first step is η whatever the gradient's length, the next as its moments say", async () => {
    const adam: TrainingPlan = { ...plan(2, 0.1), optimiser: "adam", beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
    const { delta } = await localAlgorithm(undefined, adam, quadratic()).train(taskOf(Float32Array.of(3), points(0)));
    const [g1, g2] = [3, 2.9];
    const m = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.81);
    const v = (0.99 * 0.01 * g1 * g1 + 0.01 * g2 * g2) / (1 - 0.9801);
    near(delta, [-0.1 - (0.1 * m) / Math.sqrt(v)]);
  });
  it("a state of another length is refused", async () => {
    await assert.rejects(
      localAlgorithm(undefined, plan(1, 0.1), quadratic()).train(taskOf(Float32Array.of(1, 2), points(0))),
      { code: "WRONG_SHAPE" },
    );
  });
});

describe("FedProx", () => {
  it("adds μ(w − w^t): at w = 3, w^t = 1, μ = 0.1, ∇F = 0.5 the gradient is 0.7", async () => {
    // Two steps of rate 1: the first from 1 to 3 (a = 3), the second with a = 2.5, so ∇F = 0.5 there.
    let calls = 0;
    const model = quadratic();
    const moving = {
      ...model,
      valueAndGradient: (...[w, , request, mode]: Parameters<typeof model.valueAndGradient>) =>
        model.valueAndGradient(w, { features: Float32Array.of(calls++ === 0 ? 3 : 2.5), size: 1 }, request, mode),
    };
    const algorithm = localAlgorithm(config({ name: "fedprox", mu: 0.1 }), plan(2, 1), moving);
    const { delta } = await algorithm.train(taskOf(Float32Array.of(1), points(0)));
    near(delta, [2 - 0.7]);
  });
  it("with μ = 0 is FedAvg, bit for bit", async () => {
    const task = taskOf(Float32Array.of(1), points(0.3, 4, -1));
    const prox = await localAlgorithm(config({ name: "fedprox", mu: 0 }), plan(7, 0.1, 0.9), quadratic()).train(task);
    const avg = await localAlgorithm(undefined, plan(7, 0.1, 0.9), quadratic()).train(task);
    assert.deepEqual(prox.delta, avg.delta);
  });
  it("sends the partial work of a member that manages only some steps", async () => {
    const seen: number[][] = [];
    const algorithm = localAlgorithm(config({ name: "fedprox" }), plan(50, 0.1), quadratic(1, seen));
    await algorithm.train(taskOf(Float32Array.of(1), points(0), { maxSteps: 3 }));
    assert.equal(seen.length, 3);
  });
  it("with partialWork takes a member's share of the steps: half of them at 0.5, one at the least, all from 1 on or unsaid", async () => {
    const stepsOf = async (client: object, more: object): Promise<number> => {
      const seen: number[][] = [];
      const algorithm = localAlgorithm(config({ name: "fedprox", ...client }), plan(50, 0.1), quadratic(1, seen));
      await algorithm.train(taskOf(Float32Array.of(1), points(0), more));
      return seen.length;
    };
    const partialWork = true;
    assert.equal(await stepsOf({ partialWork }, { resource: 0.5 }), 25);
    assert.equal(await stepsOf({ partialWork }, { resource: 0.999 }), 49);
    assert.equal(await stepsOf({ partialWork }, { resource: 0.001 }), 1);
    assert.equal(await stepsOf({ partialWork }, { resource: 7 }), 50);
    assert.equal(await stepsOf({ partialWork }, {}), 50);
    assert.equal(await stepsOf({ partialWork }, { resource: 0.5, maxSteps: 3 }), 3);
    assert.equal(await stepsOf({}, { resource: 0.5 }), 50);
  });
  it("partial work is the first steps of the whole, and the same again", async () => {
    const client = config({ name: "fedprox", partialWork: true });
    const start = Float32Array.of(1);
    const half = await localAlgorithm(client, plan(8, 0.1), quadratic()).train(
      taskOf(start, points(3, 4, 5), { resource: 0.5 }),
    );
    const four = await localAlgorithm(client, plan(4, 0.1), quadratic()).train(taskOf(start, points(3, 4, 5)));
    assert.deepEqual(half.delta, four.delta);
  });
  it("refuses μη ≥ 1, which oscillates", () => {
    const prox = config({ name: "fedprox", mu: 10 });
    assert.throws(() => localAlgorithm(prox, plan(1, 0.1), quadratic()), { code: "BAD_CONFIG", message: /μ = 10/ });
    localAlgorithm(prox, plan(1, 0.09), quadratic());
  });
});

describe("SCAFFOLD", () => {
  /** Two members with a = 1 and 5, η = .1, two steps a round, all taking part; mean aggregation of the whole state. */
  async function play(
    client: ClientConfig | undefined,
    rounds: number,
  ): Promise<{ w: number; c: number; ends: number[]; own: number[] }[]> {
    const algorithm = localAlgorithm(client, plan(2, 0.1), quadratic());
    const locals: LocalState[] = [{}, {}];
    let state = new Float32Array(1 + algorithm.auxiliary.length);
    const history = [];
    for (let round = 1; round <= rounds; round++) {
      const outcomes = await Promise.all(
        [1, 5].map((a, i) => algorithm.train(taskOf(state, points(a), { round, local: locals[i] as LocalState }))),
      );
      const before = state;
      state = state.map((value, j) => value + outcomes.reduce((sum, { delta }) => sum + (delta[j] as number) / 2, 0));
      for (const [i, { local }] of outcomes.entries()) locals[i] = local;
      history.push({
        w: state[0] as number,
        c: state[1] ?? 0,
        ends: outcomes.map(({ delta }) => (before[0] as number) + (delta[0] as number)),
        own: locals.map((local) => local["control"]?.[0] ?? 0),
      });
    }
    return history;
  }

  it("two rounds of the worked example, and FedAvg's drift beside them", async () => {
    const [first, second] = await play(config({ name: "scaffold" }), 2);
    near(
      [first?.w ?? 0, first?.c ?? 0, ...(first?.ends ?? []), ...(first?.own ?? [])],
      [0.57, -2.85, 0.19, 0.95, -0.95, -4.75],
    );
    near([second?.w ?? 0, ...(second?.ends ?? [])], [1.0317, 1.0127, 1.0507]);
    const [, fedAvg] = await play(undefined, 2);
    near([fedAvg?.w ?? 0, ...(fedAvg?.ends ?? [])], [1.0317, 0.6517, 1.4117]);
  });

  it("option I keeps the shard's gradient at the received model", async () => {
    const algorithm = localAlgorithm(config({ name: "scaffold", option: "I" }), plan(2, 0.1, 0.9), quadratic());
    const { local, delta } = await algorithm.train(taskOf(Float32Array.of(2, 0), points(1, 5)));
    near(local["control"] ?? [], [-1]);
    near([delta[1] as number], [-1]);
  });

  it("scales δc by K/N, so that a cohort's mean adds (1/N)Σδc", async () => {
    const algorithm = localAlgorithm(config({ name: "scaffold" }), plan(2, 0.1), quadratic());
    const whole = await algorithm.train(taskOf(Float32Array.of(0, 0), points(1)));
    const fifth = await algorithm.train(taskOf(Float32Array.of(0, 0), points(1), { participation: 0.2 }));
    near([fifth.delta[1] as number], [0.2 * (whole.delta[1] as number)]);
    assert.deepEqual(fifth.local, whole.local);
  });

  it("counts the steps really taken", async () => {
    const algorithm = localAlgorithm(config({ name: "scaffold" }), plan(20, 0.1), quadratic());
    const { local } = await algorithm.train(taskOf(Float32Array.of(0, 0), points(1), { maxSteps: 1 }));
    // One step from 0 with gradient −1.
    near(local["control"] ?? [], [-1]);
  });

  it("option II refuses momentum, adaptive steps and weight decay; option I bears momentum", () => {
    const two = config({ name: "scaffold" });
    for (const unfit of [
      plan(2, 0.1, 0.9),
      { ...plan(2, 0.1), weightDecay: 0.1 },
      { ...plan(2, 0.1), optimiser: "adagrad", epsilon: 1, initialAccumulator: 0 } as const,
    ])
      assert.throws(() => localAlgorithm(two, unfit as TrainingPlan, quadratic()), { code: "BAD_CONFIG" });
    localAlgorithm(config({ name: "scaffold", option: "I" }), plan(2, 0.1, 0.9), quadratic());
  });
});

describe("SAM", () => {
  it("F = w²/2, w = 1, ρ = 0.1: the gradient used is 1.1", async () => {
    const algorithm = localAlgorithm(config({ name: "sam", rho: 0.1 }), plan(1, 1), quadratic());
    near((await algorithm.train(taskOf(Float32Array.of(1), points(0)))).delta, [-1.1]);
  });
  it("stands still at a zero gradient", async () => {
    const algorithm = localAlgorithm(config({ name: "sam" }), plan(3, 1), quadratic());
    near((await algorithm.train(taskOf(Float32Array.of(2), points(2)))).delta, [0], 0);
  });
});

describe("FedEBA+ at the member", () => {
  it("walked: leans by what the mean gradient and its own differed, sends and remembers that of its data along the way", async () => {
    const algorithm = localAlgorithm(config({ name: "fedeba" }), plan(2, 0.1), quadratic());
    // ∇F = 2 − 1; g̃ − g_i = 3 − 0.5: h = 1 + ½·2.5 = 2.25, then 1.775 − 1 + 1.25 = 2.025; of its data (1 + 0.775)/2.
    const local = { gradient: Float32Array.of(0.5) };
    const outcome = await algorithm.train(taskOf(Float32Array.of(2, 3), points(1), { local }));
    near(outcome.delta, [-0.4275, 0.8875 - 3]);
    near(outcome.local["gradient"] ?? [], [0.8875]);
    // Without one of its own there is nothing to lean by.
    near((await algorithm.train(taskOf(Float32Array.of(2, 3), points(1)))).delta, [-0.19, 0.95 - 3]);
  });
  it("walked, members alike: leaning changes nothing", async () => {
    const algorithm = localAlgorithm(config({ name: "fedeba" }), plan(5, 0.1), quadratic());
    const local = { gradient: Float32Array.of(7) };
    const { delta } = await algorithm.train(taskOf(Float32Array.of(2, 7), points(1), { local }));
    const plain = await localAlgorithm(undefined, plan(5, 0.1), quadratic()).train(
      taskOf(Float32Array.of(2), points(1)),
    );
    assert.equal(delta[0], plain.delta[0]);
  });
  it("walked: opposed members with many steps come to rest between their data", async () => {
    const algorithm = localAlgorithm(config({ name: "fedeba" }), plan(50, 0.1), quadratic());
    const [left, right] = [points(0), points(4)];
    let state = Float32Array.of(1, 0);
    let locals: LocalState[] = [{}, {}];
    for (let round = 0; round < 30; round++) {
      const outcomes = await Promise.all(
        [left, right].map((shard, i) => algorithm.train(taskOf(state, shard, { local: locals[i] as LocalState }))),
      );
      locals = outcomes.map(({ local }) => local);
      state = state.map((value, i) => value + outcomes.reduce((sum, { delta }) => sum + (delta[i] as number), 0) / 2);
    }
    near(state, [2, 0], 1e-3);
  });
  it("sends its gradient at the received model as a difference; received: leans to the mean one as it is", async () => {
    const algorithm = localAlgorithm(config({ name: "fedeba", fairGradient: "received" }), plan(1, 0.1), quadratic());
    assert.deepEqual(
      algorithm.auxiliary.map(({ name }) => name),
      ["fedeba.gradient"],
    );
    // ∇F = 2 − 1, g̃ = 3: h = ½·1 + ½·3.
    const { delta } = await algorithm.train(taskOf(Float32Array.of(2, 3), points(1)));
    near(delta, [-0.2, 1 - 3]);
    // Before the first mean there is nothing to lean to.
    near((await algorithm.train(taskOf(Float32Array.of(2, 0), points(1)))).delta, [-0.1, 1]);
  });
  it("model alignment blends in the first step", async () => {
    const client = config({ name: "fedeba", gradientAlpha: 0, modelAlpha: 0.25 });
    const algorithm = localAlgorithm(client, plan(2, 0.1), quadratic());
    assert.deepEqual(algorithm.auxiliary, []);
    // From 1 to .9 to .81.
    const { delta } = await algorithm.train(taskOf(Float32Array.of(1), points(0)));
    near(delta, [0.75 * -0.19 + 0.25 * -0.1]);
  });
});
