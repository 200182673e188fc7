// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { parameterCount, parameterLayout } from "../../src/learning/layout.ts";
import { EVALUATION } from "../../src/learning/model.ts";
import { ALL_MODELS } from "../fixtures/models.ts";
import { driverIsMissing } from "../kernels/gpu/driver.ts";
import { engineContract } from "../learning/engine.contract.ts";

const skip = await driverIsMissing();

/** ONNX Runtime's shader that splits the parameters binds each tensor; drivers allow 16 buffers, the vector itself among them, or more. */
const MOST_TENSORS = 15;
const [small, large] = [true, false].map((fits) =>
  Object.entries(ALL_MODELS).filter(([, config]) => parameterLayout(config).length <= MOST_TENSORS === fits),
) as [[string, (typeof ALL_MODELS)[string]][], [string, (typeof ALL_MODELS)[string]][]];

describe("onnxruntime-node engine with WebGPU", { skip }, () => {
  engineContract(() => createOnnxNodeEngine({ device: "webgpu" }), Object.fromEntries(small));

  it("adds the gradients of a token that comes often in one order", async () => {
    const engine = await createOnnxNodeEngine({ device: "webgpu" });
    const config = { kind: "bagOfEmbeddings", inputs: 40, vocabulary: 6, width: 4, classes: 3 } as const;
    const model = await engine.load(config);
    const parameters = Float32Array.from({ length: model.parameterCount }, (_, i) => Math.sin(i));
    const features = Float32Array.from({ length: 20 * config.inputs }, (_, i) => (7 * i) % config.vocabulary);
    const batch = { features, labels: Int32Array.from({ length: 20 }, (_, i) => i % config.classes), size: 20 };
    const gradient = async () => (await model.valueAndGradient(parameters, batch, {}, EVALUATION)).gradient;
    const first = await gradient();
    // Added in any order, one of two of these differed.
    for (let again = 0; again < 30; again++) assert.deepEqual(await gradient(), first);
    await engine.dispose();
  });

  for (const [title, config] of large) {
    it(`works, or UNSUPPORTED says what is too much: ${title}`, async () => {
      const engine = await createOnnxNodeEngine({ device: "webgpu" });
      const model = await engine.load(config);
      const batch = { features: new Float32Array(config.inputs).fill(1), size: 1 };
      await model.forward(new Float32Array(parameterCount(config)), batch, EVALUATION).then(
        ({ logits }) => assert.equal(logits.length, config.classes),
        ({ code, message }) => assert.match(`${code} ${message}`, /^UNSUPPORTED .*Set device: cpu/s),
      );
      await engine.dispose();
    });
  }
});
