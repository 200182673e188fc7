// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import { TRAINING } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";
import { engineContract } from "../engine.contract.ts";

describe("onnxruntime-node engine", () => engineContract(() => createOnnxNodeEngine(), ALL_MODELS));

describe("onnxruntime-node engine with two threads", () => {
  it("adds a token's cotangents one after another: a text of few words gives the same gradient every time", async () => {
    const engine = await createOnnxNodeEngine({ threads: 2 });
    const config: ModelConfig = { kind: "bagOfEmbeddings", inputs: 64, vocabulary: 8, width: 64, classes: 3 };
    const random = keyedRandom("two threads");
    const size = 64;
    const features = Float32Array.from({ length: size * 64 }, () => 1 + random.integerBelow(7));
    const labels = Int32Array.from({ length: size }, () => random.integerBelow(3));
    const model = await engine.load(config);
    const parameters = initialiseParameters(config, random);
    const gradient = async (): Promise<Float32Array> =>
      (await model.valueAndGradient(parameters, { features, labels, size }, {}, TRAINING)).gradient;
    const first = await gradient();
    for (let k = 0; k < 10; k++) assert.deepEqual(await gradient(), first);
    await engine.dispose();
  });
});
