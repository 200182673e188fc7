// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LocalOutcome, LocalState } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { localAlgorithm } from "../../../src/learning/algorithms/table.ts";
import type { Model } from "../../../src/learning/model.ts";
import { parseConfig } from "../../../src/process/config.ts";
import { type ClientConfig, clientSchema } from "../../../src/protocol/recipe/clientConfig.ts";
import { points, quadratic, taskOf } from "./models.ts";

const near = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs((actual[i] as number) - value) <= 1e-5, `${Array.from(actual)}, not ${expected}`);
};

/** F = (w − a)²/2 as the cross-entropy of class 0: ln(1 + e^−z) = F. */
const model: Model = {
  ...quadratic(),
  forward: async (parameters, { features, size }) => {
    const logits = new Float32Array(2 * size);
    for (let b = 0; b < size; b++) {
      const away = (parameters[0] as number) - (features[b] as number);
      logits[2 * b] = -Math.log(Math.expm1((away * away) / 2));
    }
    return { logits, features: new Float32Array() };
  },
};
const client = (more: object = {}): ClientConfig =>
  clientSchema.parse({ name: "fedeba", gradientAlpha: 0.5, modelAlpha: 0.25, switchAngle: 15, ...more });

/** Rounds of members with their data at these places, from w = 1: two steps of 0.1 each, and the plain mean of all that they send. */
async function play(config: ClientConfig, places: readonly number[], rounds: number) {
  const algorithm = localAlgorithm(config, { localSteps: 2, batchSize: 1, learningRate: 0.1, momentum: 0 }, model);
  const locals: LocalState[] = places.map(() => ({}));
  let state = Float32Array.of(1, 0, 0, 0);
  const history: { before: Float32Array; outcomes: LocalOutcome[]; state: Float32Array }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const outcomes = await Promise.all(
      places.map((a, i) => algorithm.train(taskOf(state, points(a), { round, local: locals[i] as LocalState }))),
    );
    for (const [i, { local }] of outcomes.entries()) locals[i] = local;
    const before = state;
    state = state.map(
      (value, j) => value + outcomes.reduce((sum, { delta }) => sum + (delta[j] as number), 0) / places.length,
    );
    history.push({ before, outcomes, state });
  }
  return history;
}

// Losses of w = 1. Data at 0 and 2.5: ½ and 1.125, cos θ = .8125/√.7578125, θ = 21.0°. At 0 and 2: ½ and ½, θ = 0.
const [UNFAIR, FAIR] = [
  [0, 2.5],
  [0, 2],
];
const models = (outcomes: readonly LocalOutcome[] | undefined): number[] =>
  (outcomes ?? []).map(({ delta }) => delta[0] as number);

describe("FedEBA+ with switchAngle", () => {
  it("the losses' moments travel behind the fair gradient, and the mean takes their place", async () => {
    const algorithm = localAlgorithm(client(), { localSteps: 1, batchSize: 1, learningRate: 1, momentum: 0 }, model);
    assert.deepEqual(algorithm.auxiliary, [
      { name: "fedeba.gradient", shape: [1] },
      { name: "fedeba.losses", shape: [2] },
    ]);
    for (const fairGradient of ["walked", "received"]) {
      const [first, second] = await play(client({ fairGradient }), UNFAIR, 2);
      near(first?.state.subarray(2) ?? [], [0.8125 / 4, 0.7578125 / 16]);
      const w = first?.state[0] as number;
      // In units of 4 nats.
      const [f, g] = UNFAIR.map((a) => (w - a) ** 2 / 2 / 4) as [number, number];
      near(second?.state.subarray(2) ?? [], [(f + g) / 2, (f * f + g * g) / 2]);
    }
  });

  it("round 1 is plain: nothing has come yet", async () => {
    // From 1 to a + 0.81·(1 − a).
    near(models((await play(client(), UNFAIR, 1))[0]?.outcomes), [-0.19, 0.285]);
  });

  it("unfair: members align gradients, and not models", async () => {
    const [, round] = await play(client({ fairGradient: "received" }), UNFAIR, 2);
    // w = 1.0475, g̃ = ((1 − 0) + (1 − 2.5))/2 = −0.25. h = ½(w − a) − 0.125; two steps.
    near([round?.before[0] as number, round?.before[1] as number], [1.0475, -0.25]);
    const walk = (a: number): number => {
      let w = 1.0475;
      for (let k = 0; k < 2; k++) w -= 0.1 * (0.5 * (w - a) + 0.5 * -0.25);
      return w - 1.0475;
    };
    near(models(round?.outcomes), [walk(0), walk(2.5)]);
  });

  it("unfair, walked: the lean is by what g̃ and its own differed", async () => {
    const [first, round] = await play(client(), UNFAIR, 2);
    // Along the way of round 1: (1 + .9)/2·(1 − a), so .95 and −1.425; g̃ = −.2375.
    near(first?.outcomes.map(({ local }) => local["gradient"]?.[0] as number) ?? [], [0.95, -1.425]);
    const walk = (a: number, own: number): number => {
      let w = 1.0475;
      for (let k = 0; k < 2; k++) w -= 0.1 * (w - a + 0.5 * (-0.2375 - own));
      return w - 1.0475;
    };
    near(models(round?.outcomes), [walk(0, 0.95), walk(2.5, -1.425)]);
  });

  it("fair: members align models, and follow plain gradients", async () => {
    for (const fairGradient of ["walked", "received"]) {
      const [, round] = await play(client({ fairGradient }), FAIR, 2);
      // Round 1 leaves w = 1: 0.75 of two steps' way and 0.25 of the first's.
      near(models(round?.outcomes), [0.75 * -0.19 + 0.25 * -0.1, 0.75 * 0.19 + 0.25 * 0.1]);
      // The gradient is sent all the same.
      near(
        round?.outcomes.map(({ delta }) => (delta[1] as number) + (round.before[1] as number)) ?? [],
        fairGradient === "walked" ? [0.95, -0.95] : [1, -1],
      );
    }
  });

  it("the angle decides and nothing else: above 21.0 degrees the unfair federation aligns models", async () => {
    const aligned = (angle: number) =>
      play(client({ switchAngle: angle }), UNFAIR, 2).then(([, round]) => models(round?.outcomes));
    const w = 1.0475;
    near(
      await aligned(21.1),
      UNFAIR.map((a) => (w - a) * (0.75 * -0.19 + 0.25 * -0.1)),
    );
    assert.deepEqual(await aligned(20.9), await aligned(15));
  });

  it("left out, both alignments are done in every round", async () => {
    const algorithm = localAlgorithm(
      client({ switchAngle: undefined, fairGradient: "received" }),
      { localSteps: 2, batchSize: 1, learningRate: 0.1, momentum: 0 },
      model,
    );
    // g̃ = 3, w = 2, a = 1: h = ½·1 + ½·3 = 2, then ½·.8 + 1.5 = 1.9; 0.75 of −.39 and 0.25 of −.2.
    const { delta } = await algorithm.train(taskOf(Float32Array.of(2, 3), points(1)));
    near(delta, [0.75 * -0.39 + 0.25 * -0.2, 1 - 3]);
  });

  it("without two alignments to choose between it is refused, and says so", () => {
    for (const more of [{}, { modelAlpha: 0.1, gradientAlpha: 0 }, { modelAlpha: 0 }])
      assert.throws(() => parseConfig(clientSchema, {}, { name: "fedeba", switchAngle: 15, ...more }, "client"), {
        code: "BAD_CONFIG",
        message: /give gradientAlpha and modelAlpha above 0, or leave it out/,
      });
    for (const switchAngle of [-1, 91, Number.NaN])
      assert.ok(!clientSchema.safeParse({ name: "fedeba", modelAlpha: 0.1, switchAngle }).success);
  });

  it("a loss that is not finite is no loss to send", async () => {
    const algorithm = localAlgorithm(
      client(),
      { localSteps: 1, batchSize: 1, learningRate: 0.1, momentum: 0 },
      { ...model, forward: async () => ({ logits: Float32Array.of(Number.NaN, 0), features: new Float32Array() }) },
    );
    await assert.rejects(algorithm.train(taskOf(Float32Array.of(1, 0, 0, 0), points(0))), { code: "DIVERGED" });
  });
});
