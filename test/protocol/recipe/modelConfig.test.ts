// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { modelSchema } from "../../../src/protocol/recipe/modelConfig.ts";
import { ALL_MODELS } from "../../fixtures/models.ts";

describe("modelSchema", () => {
  it("takes every architecture as it is written", () => {
    for (const config of Object.values(ALL_MODELS)) assert.deepEqual(modelSchema.parse(config), config);
  });

  it("refuses batch norm, and says why", () => {
    const config = { ...ALL_MODELS["residual network"], normalisation: "batch" };
    const { error } = modelSchema.safeParse(config);
    assert.match(error?.message ?? "", /Batch norm keeps running statistics/);
  });

  it("refuses vocabularies above 8192, unknown fields and other activations", () => {
    const transformer = ALL_MODELS["transformer, layer norm after"];
    assert.ok(modelSchema.safeParse({ ...transformer, vocabulary: 8192 }).success);
    assert.ok(!modelSchema.safeParse({ ...transformer, vocabulary: 8193 }).success);
    assert.ok(!modelSchema.safeParse({ ...transformer, batchNorm: true }).success);
    assert.ok(!modelSchema.safeParse({ ...ALL_MODELS["one hidden layer"], activation: "gelu" }).success);
  });
});
