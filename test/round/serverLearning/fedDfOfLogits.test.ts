// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { accuracy } from "../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { fedDfOfLogits } from "../../../src/round/serverLearning/fedDfOfLogits.ts";
import { logitsOf } from "../../../src/round/serverLearning/predictors.ts";
import { CONFIG, clusters, mean, train, update } from "./federation.ts";

const OPTIONS = {
  steps: 100,
  batchSize: 32,
  learningRate: 1e-2,
  combine: "mean",
  evaluateEvery: 25,
  patience: 1000,
} as const;
const random = keyedRandom("FedDF of logits");
const unlabelled = clusters("unlabelled", 120);
const fresh = clusters("fresh", 300);

describe("FedDF from members' logits", () => {
  let engine: LearningEngine;
  let student: Model;
  let logistic: Model;
  before(async () => {
    engine = await createOnnxNodeEngine({ threads: 1 });
    student = await engine.load(CONFIG);
    logistic = await engine.load({ kind: "logistic", inputs: 4, classes: 3 });
  });
  after(() => engine.dispose());
  const start = () => ({ model: student, parameters: initialiseParameters(CONFIG, random) });
  const zeros = () => new Float32Array(unlabelled.size * 3);

  it("sends back the mean of what members say, whatever came before; a median bears one liar of three", async () => {
    const said = [1, 2, 6].map((value, member) => update(member, new Array<number>(360).fill(0).with(5, value)));
    for (const [combine, expected] of [
      ["mean", 3],
      ["median", 4 / 3],
    ] as const) {
      const strategy = fedDfOfLogits(start(), unlabelled, { ...OPTIONS, combine, steps: 1 });
      const parameters = zeros();
      parameters[5] = 1;
      const updates = said.map((one) => ({
        ...one,
        delta: Float64Array.from(one.delta, (z, j) => z - Number(j === 5)),
      }));
      const { outcome } = await strategy.aggregate(strategy.initial, {
        round: 1,
        parameters,
        updates,
        random,
        base: mean,
      });
      assert.ok(Math.abs((outcome.delta[5] as number) + 1 - expected) < 1e-12, `${outcome.delta[5]}`);
      assert.deepEqual(outcome.kept, [true, true, true]);
    }
  });

  it("the student learns a teacher of another architecture, and goes on from where it was", async () => {
    const { delta } = await train(logistic, new Float32Array(logistic.parameterCount), clusters("teacher's", 200), 60);
    const logits = await logitsOf({ model: logistic, parameters: delta }, unlabelled);
    const strategy = fedDfOfLogits(start(), unlabelled, OPTIONS);
    const round = { round: 1, parameters: zeros(), updates: [update(1, [...logits])], random, base: mean };
    const first = await strategy.aggregate(strategy.initial, round);
    const judged = async (state: Float32Array) => accuracy(student, strategy.model?.(state) as Float32Array, fresh);
    const teacher = await accuracy(logistic, delta, fresh);
    assert.ok((await judged(first.state)) > teacher - 0.05, `${await judged(first.state)} of ${teacher}`);
    assert.ok((await judged(strategy.initial)) < teacher - 0.2);
    const second = await strategy.aggregate(first.state, round);
    assert.ok(
      (second.outcome.diagnostics["divergence"] as number) < (first.outcome.diagnostics["divergence"] as number),
    );
    assert.deepEqual((await strategy.aggregate(strategy.initial, round)).state, first.state);
  });

  it("refuses updates of other sizes", async () => {
    const strategy = fedDfOfLogits(start(), unlabelled, OPTIONS);
    const round = { round: 1, parameters: zeros(), updates: [update(1, [1, 2, 3])], random, base: mean };
    await assert.rejects(strategy.aggregate(strategy.initial, round), { code: "BAD_INPUT" });
  });
});
