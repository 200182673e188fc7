// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Build } from "../../../src/learning/engines/tensorflow/runtime.ts";
import { createTensorflowEngine } from "../../../src/learning/engines/tensorflow.ts";
import { EVALUATION, TRAINING } from "../../../src/learning/model.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";
import { engineContract } from "../engine.contract.ts";

const installed = await import("@tensorflow/tfjs-core").then(
  () => true,
  () => false,
);
const skip = installed
  ? false
  : "the optional packages @tensorflow/tfjs-core, -backend-cpu and -backend-wasm are absent";

for (const build of ["wasm", "cpu"] satisfies Build[])
  describe(`tensorflow engine, ${build}`, { skip }, () =>
    engineContract(() => createTensorflowEngine({ builds: [build] }), ALL_MODELS),
  );

describe("tensorflow engine", { skip }, () => {
  it("takes WebAssembly where no native build is installed, and says so", async () => {
    const engine = await createTensorflowEngine({ builds: ["tfjs-node-gpu", "tfjs-node", "wasm"] });
    assert.equal(engine.name, "tensorflow.js 4.22.0, wasm");
  });

  it("ENGINE_UNAVAILABLE: names the command that installs what is missing", async () => {
    await assert.rejects(createTensorflowEngine({ device: "cuda" }), {
      code: "ENGINE_UNAVAILABLE",
      message: /npm install @tensorflow\/tfjs-node-gpu@4\.22\.0/,
    });
  });

  for (const build of ["wasm", "cpu"] satisfies Build[]) {
    it(`holds no tensor between calls, also after a call that was refused: ${build}`, async () => {
      const tf = await import("@tensorflow/tfjs-core");
      const engine = await createTensorflowEngine({ builds: [build] });
      for (const config of Object.values(ALL_MODELS)) {
        const model = await engine.load(config);
        const parameters = new Float32Array(model.parameterCount).fill(0.1);
        const batch = { features: new Float32Array(2 * config.inputs).fill(1), labels: Int32Array.of(1, 0), size: 2 };
        const before = tf.memory().numTensors;
        await model.valueAndGradient(parameters, batch, {}, EVALUATION);
        await model.valueAndGradient(parameters, batch, { trainable: [] }, EVALUATION);
        await model.forward(parameters, batch, EVALUATION);
        const wrong = { ...batch, labels: Int32Array.of(7, 7) };
        await assert.rejects(model.valueAndGradient(parameters, wrong, {}, EVALUATION), { code: "WRONG_SHAPE" });
        assert.equal(tf.memory().numTensors, before, config.kind);
      }
    });
  }

  it("two builds in one process do not disturb each other", async () => {
    const config = { kind: "logistic", inputs: 1, classes: 2 } as const;
    const [a, b] = await Promise.all(
      (["wasm", "cpu"] as const).map(async (build) => (await createTensorflowEngine({ builds: [build] })).load(config)),
    );
    const batch = { features: Float32Array.of(2), labels: Int32Array.of(0), size: 1 };
    const results = await Promise.all(
      [a, b, a, b].map((model) => model?.valueAndGradient(Float32Array.of(1, -1, 0, 0), batch, {}, TRAINING)),
    );
    // p = softmax(2, −2): the gradient of the loss is (p − e₀) ⊗ x, and p − e₀.
    const q = 1 / (1 + Math.exp(4));
    for (const result of results)
      result?.gradient.forEach((value, i) => assert.ok(Math.abs(value - ([-2, 2, -1, 1][i] as number) * q) < 1e-7));
  });
});
