// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { AGREED_ENGINE, checkAgreedBinary, createAgreedEngine } from "../../../src/learning/engines/agreed.ts";
import { initialiseParameters } from "../../../src/learning/layout.ts";
import { EVALUATION, TRAINING } from "../../../src/learning/model.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";
import { engineContract } from "../engine.contract.ts";

const engineOf = (batchSize: number) =>
  createAgreedEngine({ package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize });

describe("agreed engine, batches that fill it", () => engineContract(() => engineOf(5), ALL_MODELS));
describe("agreed engine, padded batches", () => engineContract(() => engineOf(8), ALL_MODELS));

describe("agreed engine", () => {
  it("a sample's logits do not depend on what else is in the padded batch", async () => {
    const engine = await engineOf(4);
    const model = await engine.load({ kind: "mlp", inputs: 3, hidden: [5], classes: 2, activation: "relu" });
    const parameters = initialiseParameters(model.config, keyedRandom("padding"));
    const features = Float32Array.from([1, 2, 3, -4, 5, -6]);
    const alone = await model.forward(parameters, { features: features.subarray(0, 3), size: 1 }, EVALUATION);
    const both = await model.forward(parameters, { features, size: 2 }, EVALUATION);
    assert.deepEqual(both.logits.slice(0, 2), alone.logits);
    await engine.dispose();
  });

  it("says which build it is", async () => {
    const engine = await engineOf(4);
    const model = await engine.load({ kind: "logistic", inputs: 2, classes: 2 });
    assert.equal(model.agreed, AGREED_ENGINE);
    assert.equal(model.batchSize, 4);
    await engine.dispose();
  });

  it("ENGINE_UNAVAILABLE: a recipe that names another version", async () => {
    await assert.rejects(createAgreedEngine({ package: "onnxruntime-web", version: "1.29.0", batchSize: 4 }), {
      code: "ENGINE_UNAVAILABLE",
    });
  });

  it("ENGINE_UNAVAILABLE: a WebAssembly binary with one bit changed", async () => {
    const bytes = await readFile(fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")));
    checkAgreedBinary(bytes);
    bytes[bytes.length >> 1]! ^= 1;
    assert.throws(() => checkAgreedBinary(bytes), { code: "ENGINE_UNAVAILABLE" });
  });

  it("UNSUPPORTED: a gradient over more samples than its fixed batch", async () => {
    const engine = await engineOf(2);
    const model = await engine.load({ kind: "logistic", inputs: 2, classes: 2 });
    const batch = { features: new Float32Array(6), labels: new Int32Array(3), size: 3 };
    await assert.rejects(model.valueAndGradient(new Float32Array(6), batch, {}, TRAINING), { code: "UNSUPPORTED" });
    await engine.dispose();
  });
});
