// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { parameterCount, parameterLayout } from "../../src/learning/layout.ts";
import { EVALUATION, type Model } from "../../src/learning/model.ts";
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

  it("adds the gradients of a token that comes often in one order, and to the right row of a large vocabulary", async () => {
    const config = { kind: "bagOfEmbeddings", inputs: 40, vocabulary: 600, width: 4, classes: 3 } as const;
    const features = Float32Array.from({ length: 20 * config.inputs }, (_, i) =>
      i % 3 === 0 ? i % 600 : 255 + (i % 4),
    );
    const batch = { features, labels: Int32Array.from({ length: 20 }, (_, i) => i % config.classes), size: 20 };
    const parameters = Float32Array.from({ length: parameterCount(config) }, (_, i) => Math.sin(i));
    const [engine, processor] = [await createOnnxNodeEngine({ device: "webgpu" }), await createOnnxNodeEngine()];
    const [model, reference] = [await engine.load(config), await processor.load(config)];
    const gradientOf = async (on: Model) => (await on.valueAndGradient(parameters, batch, {}, EVALUATION)).gradient;
    const first = await gradientOf(model);
    const expected = await gradientOf(reference);
    for (const [i, value] of first.entries())
      assert.ok(Math.abs(value - (expected[i] as number)) < 1e-6, `coordinate ${i}: ${value}, not ${expected[i]}`);
    // Added in any order, one of two of these differed.
    for (let again = 0; again < 30; again++) assert.deepEqual(await gradientOf(model), first);
    await engine.dispose();
    await processor.dispose();
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
