// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { accuracy } from "../../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import type { LearningEngine, Model } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { distil, divergenceFrom, fedDf } from "../../../src/round/serverLearning/fedDf.ts";
import {
  aggregatePredictions,
  functionalAggregation,
} from "../../../src/round/serverLearning/functionalAggregation.ts";
import { combineLogits, evaluatePredictors, softmaxRows } from "../../../src/round/serverLearning/predictors.ts";
import { moved } from "../../../src/round/serverLearning/vectors.ts";
import { CONFIG, clusters, honestUpdates, mean, train, update } from "./federation.ts";

const LOGISTIC: ModelConfig = { kind: "logistic", inputs: 4, classes: 3 };
const OPTIONS = {
  steps: 150,
  batchSize: 32,
  learningRate: 1e-2,
  combine: "mean",
  dropShare: 0,
  evaluateEvery: 25,
  patience: 1000,
} as const;

const near = (actual: number | undefined, expected: number, tolerance = 5e-7): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);

describe("distillation targets", () => {
  it("average logits, not probabilities: (3,0) and (0,1) give (.731059,.268941), not (.610758,.389242)", () => {
    const teachers = [Float64Array.of(3, 0), Float64Array.of(0, 1)];
    const [p, q] = softmaxRows(combineLogits(teachers, 2, "mean"), 2);
    near(p, 0.731059);
    near(q, 0.268941);
    const [a, b] = teachers.map((row) => softmaxRows(row, 2)[0] as number);
    near(((a as number) + (b as number)) / 2, 0.610758);
  });

  it("are (.5,.5) at KL .120115 from student logits (1,0)", () => near(divergenceFrom([0.5, 0.5], [1, 0]), 0.120115));

  it("do not depend on shifts of a teacher's rows, which its own softmax does not show", () => {
    const random = keyedRandom("shifts");
    const teachers = [0, 1, 2, 3].map(() => Float64Array.from({ length: 6 }, () => random.normal()));
    const shifted = teachers.map((matrix, k) => matrix.map((z, j) => z + 10 * k * (j < 3 ? 1 : -1)));
    for (const how of ["mean", "median"] as const) {
      const [plain, moved] = [teachers, shifted].map((logits) => softmaxRows(combineLogits(logits, 3, how), 3));
      for (const [j, p] of (plain as Float64Array).entries()) near(moved?.[j], p, 1e-12);
    }
  });

  it("may be medians, which one liar among three cannot move far", () => {
    const teachers = [Float64Array.of(1, 2), Float64Array.of(1e9, -1e9), Float64Array.of(3, 0)];
    // Centred: (−½,½), (1e9,−1e9), (1½,−1½).
    assert.deepEqual([...combineLogits(teachers, 2, "median")], [1.5, -1.5]);
    assert.throws(() => combineLogits([], 2, "mean"), { code: "WRONG_SHAPE" });
  });
});

describe("FedDF", () => {
  let engine: LearningEngine;
  let mlp: Model;
  let logistic: Model;
  const start = initialiseParameters(CONFIG, keyedRandom("start"));
  const unlabelled = { ...clusters("unlabelled", 300), labels: new Int32Array(300).fill(-1) };
  before(async () => {
    engine = await createOnnxNodeEngine();
    [mlp, logistic] = [await engine.load(CONFIG), await engine.load(LOGISTIC)];
  });
  after(() => engine.dispose());

  const trained = async (model: Model, from: Float32Array, seed: string) => {
    const { delta } = await train(model, from, clusters(seed, 150), 40);
    return { model, parameters: moved(from, delta) };
  };

  it("teaches a student of another architecture without labels; the same key gives the same student", async () => {
    const teachers = [
      await trained(mlp, start, "one"),
      await trained(logistic, new Float32Array(logistic.parameterCount), "two"),
    ];
    const student = { model: logistic, parameters: new Float32Array(logistic.parameterCount) };
    const random = keyedRandom("round", 1);
    const result = await distil(student, teachers, unlabelled, OPTIONS, random);
    const fresh = clusters("fresh", 400);
    const table = await evaluatePredictors([...teachers, { model: logistic, parameters: result.parameters }], fresh);
    const [first, second, taught] = table.accuracies;
    assert.ok((taught as number) > Math.min(first as number, second as number) - 0.03, `${table.accuracies}`);
    const { divergence } = await distil(student, teachers, unlabelled, { ...OPTIONS, steps: 1 }, random);
    assert.ok(result.divergence > 0 && result.divergence < 0.25 * divergence, `${divergence} to ${result.divergence}`);
    assert.equal(result.stepsTaken, OPTIONS.steps);
    near(taught, await accuracy(logistic, result.parameters, fresh), 0);
    const again = await distil(student, teachers, unlabelled, OPTIONS, random);
    assert.deepEqual(again.parameters, result.parameters);
  });

  it("leaves the worst teachers out on validation data, stops early, and returns the best student seen", async () => {
    const good = await trained(mlp, start, "one");
    const liar = { model: mlp, parameters: good.parameters.map((w) => -w) };
    const validation = clusters("validation", 100);
    const options = { ...OPTIONS, dropShare: 0.5, evaluateEvery: 10, patience: 20 };
    const result = await distil(good, [good, liar], unlabelled, options, keyedRandom("v"), validation);
    assert.deepEqual(result.teachers, [true, false]);
    const [reached] = (await evaluatePredictors([{ model: mlp, parameters: result.parameters }], validation))
      .accuracies;
    near(result.validationAccuracy, reached as number, 0);
    assert.ok(result.stepsTaken < OPTIONS.steps);
    await assert.rejects(distil(good, [good, liar], unlabelled, options, keyedRandom("v")), { code: "BAD_CONFIG" });
  });

  it("as a strategy moves on from the base's model; with no steps it is the base", async () => {
    const updates = await honestUpdates(mlp, start, 3);
    const round = { round: 1, parameters: start, updates, random: keyedRandom("round"), base: mean };
    const none = await fedDf(mlp, unlabelled, { ...OPTIONS, steps: 0 }).aggregate(undefined, round);
    assert.deepEqual(none.outcome.delta, (await mean(updates)).delta);
    const { outcome } = await fedDf(mlp, unlabelled, OPTIONS).aggregate(undefined, round);
    const fresh = clusters("fresh", 300);
    const [plain, distilled] = await Promise.all(
      [none, { outcome }].map(({ outcome: { delta } }) => accuracy(mlp, moved(start, delta), fresh)),
    );
    assert.ok((distilled as number) > (plain as number) - 0.03, `${plain} to ${distilled}`);
  });
});

describe("aggregation in function space", () => {
  const [sure, unsure] = [
    [0.9, 0.1],
    [0.5, 0.5],
  ];
  const members = [
    { member: 0, samples: 10, probabilities: sure },
    { member: 1, samples: 30, probabilities: unsure },
  ];

  it("weighs by samples: ¼(.9,.1) + ¾(.5,.5) = (.6,.4)", () => {
    const { probabilities, weights } = aggregatePredictions(members, 2, "samples");
    assert.deepEqual(weights, [0.25, 0.75]);
    near(probabilities[0], 0.6, 1e-15);
  });

  it("weighs by certainty: entropies .325083 and .693147 give .680737 and .319263", () => {
    const { probabilities, weights, entropies } = aggregatePredictions(members, 2, "entropy");
    near(entropies[0], 0.325083);
    near(entropies[1], Math.LN2);
    near(weights[0], 0.680737);
    near(probabilities[0], 0.9 * 0.680737 + 0.5 * 0.319263);
  });

  it("floors at 1e-8, renormalises rows of any sum, and refuses what is no probability", () => {
    const { probabilities } = aggregatePredictions(
      [{ member: 0, samples: 1, probabilities: [4, 0, 1, 1] }],
      2,
      "entropy",
    );
    near(probabilities[1], 1e-8, 1e-15);
    near((probabilities[0] as number) + (probabilities[1] as number), 1, 1e-15);
    near(probabilities[2], 0.5, 1e-15);
    const bad = [{ member: 7, samples: 1, probabilities: [1, Number.NaN] }];
    assert.throws(() => aggregatePredictions(bad, 2, "samples"), /Member 7/);
    assert.throws(() => aggregatePredictions([], 2, "samples"), { code: "WRONG_SHAPE" });
  });

  it("as a strategy sets P̄, after a model of three parameters that stays, and refuses a state without room for it", async () => {
    const strategy = functionalAggregation(3, 2, "samples");
    const round = {
      round: 1,
      parameters: Float32Array.of(1, 2, 3, 0, 0),
      updates: members.map(({ member, samples, probabilities }) =>
        update(member, [0, 0, 0, ...probabilities], samples),
      ),
      random: keyedRandom("round"),
      base: mean,
    };
    const { outcome } = await strategy.aggregate(undefined, round);
    for (const [j, expected] of [0, 0, 0, 0.6, 0.4].entries()) near(outcome.delta[j], expected, 1e-7);
    await assert.rejects(strategy.aggregate(undefined, { ...round, parameters: round.parameters.subarray(0, 3) }), {
      code: "WRONG_SHAPE",
    });
  });
});
