// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { parameterLayout } from "../../../src/learning/layout.ts";
import { EVALUATION, type LearningEngine, TRAINING } from "../../../src/learning/model.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

/** Cases that random data never meets. */
describe("operations at special points", () => {
  let engine: LearningEngine;
  before(async () => {
    engine = await createOnnxNodeEngine();
  });
  after(() => engine.dispose());

  const parametersOf = (config: ModelConfig, values: Readonly<Record<string, readonly number[]>>): Float32Array =>
    Float32Array.from(parameterLayout(config).flatMap(({ name, size }) => values[name] ?? new Array(size).fill(0)));

  it("max pool: among equal values the first in reading order gets the whole gradient, as in PyTorch", async () => {
    const config: ModelConfig = {
      kind: "cnn",
      inputs: 15,
      image: { channels: 1, height: 3, width: 5 },
      convolutions: [{ channels: 1, kernel: 1, padding: "valid", pool: 2 }],
      pool: "max",
      hidden: [],
      classes: 2,
      activation: "relu",
    };
    const parameters = parametersOf(config, { "conv1.weight": [1], "head.weight": [1, 1, 0, 0] });
    const model = await engine.load(config);
    // Windows (7 7 / 7 7) and (1 2 / 3 3); the last column and row are in none.
    const features = Float32Array.of(7, 7, 1, 2, 9, 7, 7, 3, 3, 9, 9, 9, 9, 9, 9);
    const logits = Float32Array.of(1, 0);
    const result = await model.valueAndGradient(
      parameters,
      { features, size: 1 },
      { cotangents: { logits }, wantInputs: true },
      TRAINING,
    );
    assert.deepEqual([...result.features], [7, 3]);
    assert.deepEqual([...(result.inputGradient as Float32Array)], [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("embedding: a token that comes several times gets the sum of its cotangents; padding gets none", async () => {
    const config: ModelConfig = { kind: "bagOfEmbeddings", inputs: 4, vocabulary: 5, width: 1, classes: 2 };
    const parameters = parametersOf(config, { "embedding.weight": [100, 1, 2, 3, 4], "head.weight": [1, 0] });
    const model = await engine.load(config);
    const features = Float32Array.of(2, 3, 2, 0, 4, 0, 0, 0);
    const cotangents = { logits: Float32Array.of(3, 0, 1, 0) };
    const { gradient, features: means } = await model.valueAndGradient(
      parameters,
      { features, size: 2 },
      { cotangents, trainable: ["embedding.weight"] },
      TRAINING,
    );
    assert.ok(Math.abs((means[0] as number) - 7 / 3) < 1e-6 && means[1] === 4);
    assert.deepEqual(
      [...gradient.subarray(0, 5)].map((g) => Math.round(1e6 * g) / 1e6),
      [0, 0, 2, 1, 1],
    );
  });

  it("transformer: padding tokens change nothing, wherever they stand, and an empty text gives the head's bias", async () => {
    const config: ModelConfig = {
      kind: "transformer",
      inputs: 4,
      vocabulary: 6,
      width: 4,
      heads: 2,
      feedForward: 6,
      blocks: 1,
      normalisation: "post",
      classes: 2,
    };
    const layout = parameterLayout(config);
    const parameters = Float32Array.from(
      layout.flatMap(({ size }) => Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + size)))),
    );
    const head = layout.find(({ name }) => name === "head.bias");
    const model = await engine.load(config);
    // The embedding of padding is another in the second model.
    const other = parameters.map((value, i) => (i < 4 ? value + 5 : value));
    const batch = { features: Float32Array.of(3, 0, 5, 0, 0, 0, 0, 0), size: 2 };
    const { logits } = await model.forward(parameters, batch, EVALUATION);
    assert.deepEqual((await model.forward(other, batch, EVALUATION)).logits, logits);
    assert.deepEqual(logits.slice(2), parameters.slice(head?.offset));
  });
});
