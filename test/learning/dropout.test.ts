// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawMasks, trainingMode } from "../../src/learning/dropout.ts";
import { TRAINING } from "../../src/learning/model.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { ModelConfig } from "../../src/protocol/recipe/modelConfig.ts";

const CONFIG: ModelConfig = {
  kind: "mlp",
  inputs: 4,
  hidden: [100, 50],
  classes: 2,
  activation: "relu",
  dropout: 0.2,
};

describe("drawMasks", () => {
  it("drops a unit with the rate and scales the others, so that the mean stays 1", () => {
    const { "layer1.dropout": first, "layer2.dropout": second } = drawMasks(CONFIG, 200, keyedRandom("masks"));
    assert.equal(first?.length, 200 * 100);
    assert.equal(second?.length, 200 * 50);
    assert.ok(first?.every((value) => value === 0 || value === 1.25));
    // 20 000 draws: the standard error of the share is 0.003.
    const dropped = (first as Float32Array).filter((value) => value === 0).length / 20_000;
    assert.ok(Math.abs(dropped - 0.2) < 0.012, `${dropped}`);
  });

  it("is a function of the stream's name, and differs from layer to layer and stream to stream", () => {
    const masks = drawMasks(CONFIG, 3, keyedRandom("masks", 1));
    assert.deepEqual(drawMasks(CONFIG, 3, keyedRandom("masks", 1)), masks);
    assert.notDeepEqual(drawMasks(CONFIG, 3, keyedRandom("masks", 2)), masks);
    const [first, second] = [masks["layer1.dropout"] as Float32Array, masks["layer2.dropout"] as Float32Array];
    assert.notDeepEqual(first.subarray(0, 50), second.subarray(0, 50));
  });

  it("draws nothing for a model without dropout, whose training mode is the plain one", () => {
    const plain: ModelConfig = { kind: "logistic", inputs: 2, classes: 2 };
    assert.deepEqual(trainingMode(plain, 3, keyedRandom("masks")), { ...TRAINING, masks: {} });
  });
});
