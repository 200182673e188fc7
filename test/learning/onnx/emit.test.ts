// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { emitForward, emitGradient, emitStep } from "../../../src/learning/onnx/emit.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

const DIGITS: ModelConfig = { kind: "mlp", inputs: 64, hidden: [32], classes: 10, activation: "relu" };

describe("emitted graphs", () => {
  it("are the same bytes every time: validators must run one program", () => {
    assert.deepEqual(emitForward(DIGITS, 64), emitForward(DIGITS, 64));
    assert.notDeepEqual(emitForward(DIGITS, 64).bytes, emitForward(DIGITS, 32).bytes);
  });

  it("the digits model's forward graph is the recorded one", () => {
    // A change here changes what utilities mean: it needs a new recipe version, as a change of the engine does.
    assert.equal(
      createHash("sha256").update(emitForward(DIGITS, 64).bytes).digest("hex"),
      "7538df38646e387d14f02675adf313c76f487790d7ed35da760f3d4118ee4107",
    );
  });

  it("take only the inputs their variant needs", () => {
    const trainable = new Set(["layer2.weight", "layer2.bias"]);
    const plain = { logitCotangent: false, featureCotangent: false, trainable, wantInputs: false, masks: false };
    assert.deepEqual(emitForward(DIGITS, 4).inputs, ["parameters", "features_in"]);
    assert.deepEqual(emitGradient(DIGITS, 4, plain).inputs, ["parameters", "features_in", "targets", "scale"]);
    assert.deepEqual(
      emitGradient(DIGITS, 4, { ...plain, logitCotangent: true, featureCotangent: true, wantInputs: true }).inputs,
      ["parameters", "features_in", "targets", "scale", "logit_cotangent", "feature_cotangent"],
    );
    const step = emitStep(DIGITS, 4, { masks: false, momentum: true });
    assert.deepEqual(step.outputs, ["log_likelihood", "new_velocity", "new_parameters"]);
    assert.deepEqual(step.inputs.slice(4), ["learning_rate", "velocity", "momentum"]);
    const plainStep = emitStep(DIGITS, 4, { masks: false, momentum: false });
    assert.deepEqual(plainStep.outputs, ["log_likelihood", "new_parameters"]);
    assert.deepEqual(plainStep.inputs.slice(4), ["learning_rate"]);
  });
});
