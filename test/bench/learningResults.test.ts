// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS } from "../../bench/learning/models.ts";
import { type Results, renderTable, resultsSchema } from "../../bench/learning/results.ts";
import { measureModel } from "../../bench/learning/run.ts";
import { formatResults } from "../../bench/lib/formatResults.ts";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { parameterCount } from "../../src/learning/layout.ts";

const FILE = fileURLToPath(new URL("../../bench/results/learning.json", import.meta.url));

/** Results of a machine that was never built. */
const MADE: Results = {
  date: "2026-01-02T03:04:05.000Z",
  quick: true,
  repeats: 3,
  batch: 64,
  machine: { cpu: "none", cores: 2, memoryGiB: 4, os: "none", node: "v24", gpu: null, loadBefore: 0, loadAfter: 0 },
  torch: null,
  engines: { "onnxruntime-node": "onnxruntime-node 1" },
  rows: [{ model: "mlp", engine: "onnxruntime-node", threads: 1, stepsPerSecond: 2_000, ratioTorch: null }],
  missing: ["pytorch: absent"],
};

describe("results of the learning bench", () => {
  it("are read as they are written, and shown without a ratio where there is nothing to compare with", () => {
    assert.deepEqual(resultsSchema.parse(JSON.parse(formatResults(MADE))), MADE);
    assert.match(renderTable(MADE), /PyTorch absent/);
    assert.match(renderTable(MADE), /^mlp +onnxruntime-node +1 +2000 *$/m);
  });

  it("the models are the measured ones", () => {
    const sizes = MODELS.map(({ name, config }) => `${name}: ${parameterCount(config)}`);
    assert.deepEqual(sizes.slice(0, 4), [
      "logistic 64-10: 650",
      "mlp 784-128-10: 101770",
      "lenet-5: 61706",
      // 4·128·(9 + 128 + 2) + 4·128·(128 + 128 + 2) + 6·129
      "lstm 2x128, 32x9: 204038",
    ]);
  });

  it("a model's rows come from every engine that has it, and the others are named", async () => {
    const engine = await createOnnxNodeEngine();
    const lacking = { ...engine, load: () => Promise.reject(new Error("no such model")) };
    const engines = [
      { id: "onnxruntime-node", engine },
      { id: "lacking", engine: lacking },
    ];
    const model = MODELS[0] as (typeof MODELS)[number];
    const { rows, missing } = await measureModel(model, {
      engines,
      torch: undefined,
      threads: 1,
      repeats: 1,
      runMs: 1,
    });
    assert.deepEqual(
      rows.map(({ engine: id, ratioTorch }) => [id, ratioTorch]),
      [["onnxruntime-node", null]],
    );
    assert.ok((rows[0]?.stepsPerSecond as number) > 0);
    assert.deepEqual(missing, ["logistic 64-10, lacking: no such model"]);
    await engine.dispose();
  });

  it("the committed ones are of a whole run with every model", {
    skip: existsSync(FILE) ? false : "not measured yet",
  }, () => {
    const { quick, rows } = resultsSchema.parse(JSON.parse(readFileSync(FILE, "utf8")));
    assert.equal(quick, false);
    assert.deepEqual(new Set(rows.map(({ model }) => model)), new Set(MODELS.map(({ name }) => name)));
  });
});
