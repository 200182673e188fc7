// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import { chooseProvider } from "../../../src/learning/engines/onnxProviders.ts";

describe("providers of onnxruntime-node", () => {
  it("cpu is taken as it is", async () => assert.equal(await chooseProvider("cpu"), "cpu"));

  it("auto always finds one", async () => assert.match(await chooseProvider("auto"), /^(cuda|cpu)$/));

  it("ENGINE_UNAVAILABLE: webgpu without a driver, with the reason and what to install", async () => {
    // A loader told to use a driver that is not there.
    const env = {
      ...process.env,
      VK_DRIVER_FILES: "/nonexistent/driver.json",
      VK_ICD_FILENAMES: "/nonexistent/driver.json",
    };
    await assert.rejects(chooseProvider("webgpu", env), {
      code: "ENGINE_UNAVAILABLE",
      message: /compute with webgpu here: .*adapter.*Install a driver/,
    });
  });

  it("ENGINE_UNAVAILABLE: cuda without its libraries, with the command that installs them", async (t) => {
    // A device that no machine of the tests lends to this process.
    const env = { ...process.env, CUDA_VISIBLE_DEVICES: "-1" };
    if (
      await chooseProvider("cuda", env).then(
        () => true,
        () => false,
      )
    )
      return t.skip("CUDA works even without devices");
    await assert.rejects(chooseProvider("cuda", env), {
      code: "ENGINE_UNAVAILABLE",
      message: /ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules\/onnxruntime-node\/script\/install\.js/,
    });
  });

  it("the engine's name says where it computes", async () => {
    const engine = await createOnnxNodeEngine({ device: "cpu" });
    assert.match(engine.name, /^onnxruntime-node [\d.]+, cpu$/);
    await engine.dispose();
  });
});
