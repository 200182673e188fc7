// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { agreedLoss, sampleLoss } from "../../src/learning/agreedLoss.ts";
import { AGREED_ENGINE, type AgreedEngine, createAgreedEngine } from "../../src/learning/engines/agreed.ts";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { accuracy, meanLoss } from "../../src/learning/evaluate.ts";
import { initialiseParameters } from "../../src/learning/layout.ts";
import type { AgreedModel, LearningEngine, Model } from "../../src/learning/model.ts";
import { referenceValueAndGradient } from "../../src/learning/reference.ts";
import type { Dataset } from "../../src/protocol/dataset.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";

const CONFIG: ModelConfig = { kind: "mlp", inputs: 5, hidden: [7], classes: 4, activation: "relu" };
const LINEAR: ModelConfig = { kind: "logistic", inputs: 2, classes: 2 };
/** logits = (x_1, x_2). */
const IDENTITY = Float32Array.of(1, 0, 0, 1, 0, 0);

function points(rows: readonly (readonly [number, number, number])[]): Dataset {
  return {
    features: Float32Array.from(rows.flatMap((row) => row.slice(0, 2))),
    labels: Int32Array.from(rows, ([, , label]) => label),
    inputs: 2,
    classes: 2,
    size: rows.length,
  };
}

describe("evaluation", () => {
  let native: LearningEngine;
  let agreed: AgreedEngine;
  let models: Model[];
  let linear: AgreedModel;
  before(async () => {
    native = await createOnnxNodeEngine();
    agreed = await createAgreedEngine({ package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 16 });
    models = [await native.load(CONFIG), await agreed.load(CONFIG)];
    linear = await agreed.load(LINEAR);
  });
  after(() => Promise.all([native.dispose(), agreed.dispose()]));

  const random = keyedRandom("evaluate");
  const size = 50;
  const data: Dataset = {
    features: Float32Array.from({ length: size * 5 }, () => random.normal()),
    labels: Int32Array.from({ length: size }, () => random.integerBelow(4)),
    inputs: 5,
    classes: 4,
    size,
  };
  const parameters = initialiseParameters(CONFIG, random);

  it("meanLoss is the reference's loss, on both engines", async () => {
    const targets = new Float32Array(size * 4);
    data.labels.forEach((label, s) => (targets[s * 4 + label] = 1));
    const { loss } = referenceValueAndGradient(CONFIG, parameters, data.features, size, { targets });
    for (const model of models) assert.ok(Math.abs((await meanLoss(model, parameters, data)) - loss) < 1e-6);
  });

  it("accuracy counts the largest logit; among equal ones the lowest class wins", async () => {
    const dataset = points([
      [2, 1, 0],
      [2, 1, 1],
      [-3, -2, 1],
      [1, 1, 0],
      [1, 1, 1],
    ]);
    assert.equal(await accuracy(linear, IDENTITY, dataset), 3 / 5);
  });

  it("agreedLoss is the mean in units of 2^-20 nats, rounded once", async () => {
    // ln(1 + e^{-1}) = 0.313261687518223, ln(1 + e) = 1.313261687518223: mean of three (2 and 1 of them) 0.646595020851556.
    const dataset = points([
      [1, 0, 0],
      [3, 2, 0],
      [1, 0, 1],
    ]);
    assert.equal(await agreedLoss(linear, IDENTITY, dataset), BigInt(Math.round(0.646595020851556 * 2 ** 20)));
  });

  it("agreedLoss agrees with the float64 reference to a few units", async () => {
    const difference =
      Number(await agreedLoss(models[1] as AgreedModel, parameters, data)) -
      (await meanLoss(models[0] as Model, parameters, data)) * 2 ** 20;
    assert.ok(Math.abs(difference) < 2, `${difference}`);
  });

  it("agreedLoss caps each sample before averaging: losses 4000, capped at 2048, and 0", async () => {
    const dataset = points([
      [-4000, 0, 0],
      [4000, 0, 0],
    ]);
    assert.equal(await agreedLoss(linear, IDENTITY, dataset), 1024n * 2n ** 20n);
  });

  it("agreedLoss gives a model whose logits overflow the worst loss instead of NaN", async () => {
    const overflowing = Float32Array.of(3e38, 3e38, 0, 0, 0, 0);
    assert.equal(await agreedLoss(linear, overflowing, points([[5, 5, 0]])), 2048n * 2n ** 20n);
  });

  it("evaluates the same whatever was evaluated before", async () => {
    const model = models[1] as AgreedModel;
    const first = await agreedLoss(model, parameters, data);
    await agreedLoss(
      model,
      parameters.map((w) => -w),
      data,
    );
    assert.equal(await agreedLoss(model, parameters, data), first);
  });

  it("WRONG_SHAPE: no samples, or samples of another model", async () => {
    await assert.rejects(agreedLoss(linear, IDENTITY, points([])), { code: "WRONG_SHAPE" });
    await assert.rejects(agreedLoss(linear, IDENTITY, data), { code: "WRONG_SHAPE" });
    await assert.rejects(agreedLoss(linear, IDENTITY, { ...points([[1, 2, 0]]), classes: 3 }), { code: "WRONG_SHAPE" });
    await assert.rejects(agreedLoss(linear, IDENTITY, { ...points([[1, 2, 0]]), labels: new Int32Array(2) }), {
      code: "WRONG_SHAPE",
    });
  });
});

describe("sampleLoss", () => {
  it("reads its window, never goes below 0, and is capped at 2048 nats", () => {
    assert.ok(Math.abs(sampleLoss([9, 1, 2, 9], 1, 2, 0) - 1.3132616875182228) < 1e-15);
    assert.equal(sampleLoss([800, 0], 0, 2, 0), 0);
    assert.equal(sampleLoss([0, 2047], 0, 2, 0), 2047);
    assert.equal(sampleLoss([0, 2049], 0, 2, 0), 2048);
    for (const bad of [NaN, Infinity, -Infinity]) {
      assert.equal(sampleLoss([bad, 0], 0, 2, 0), 2048);
      assert.equal(sampleLoss([0, bad], 0, 2, 0), 2048);
    }
  });
});
