// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { engineSchema, openEngine } from "../../src/node/engine.ts";

const LIAR = fileURLToPath(new URL("../fixtures/lyingEngine.ts", import.meta.url));

describe("the engine that a node's configuration names", () => {
  it("onnxruntime-node is what runs when nothing is said", async () => {
    const engine = await openEngine(engineSchema.parse({ kind: "onnxruntime-node" }), "FOEDUS_PASSPHRASE");
    assert.match(engine.name, /^onnxruntime-node /);
    await engine.dispose();
  });

  it("tensorflow, or the command that installs it", async () => {
    const opened = openEngine(engineSchema.parse({ kind: "tensorflow", device: "cpu" }), "FOEDUS_PASSPHRASE");
    await opened.then(
      ({ name }) => assert.match(name, /^tensorflow\.js /),
      ({ code, message }) => assert.match(`${code} ${message}`, /^ENGINE_UNAVAILABLE .*npm install @tensorflow/s),
    );
  });

  it("a program of the member's, which does not see where the passphrase is", async (t) => {
    t.after(() => {
      delete process.env["HOSPITAL_PASSPHRASE"];
    });
    process.env["HOSPITAL_PASSPHRASE"] = "secret";
    const config = engineSchema.parse({ kind: "process", command: [process.execPath, LIAR, "tells"], threads: 2 });
    const engine = await openEngine(config, "HOSPITAL_PASSPHRASE");
    assert.equal(engine.name, "process: [] 2");
    await engine.dispose();
  });
});
