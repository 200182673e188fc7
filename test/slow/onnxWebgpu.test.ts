// SPDX-License-Identifier: Apache-2.0
import { describe } from "node:test";
import { createOnnxNodeEngine } from "../../src/learning/engines/onnxNode.ts";
import { driverIsMissing } from "../kernels/gpu/driver.ts";
import { engineContract } from "../learning/engine.contract.ts";

const skip = await driverIsMissing();

describe("onnxruntime-node engine with WebGPU", { skip }, () => {
  engineContract(() => createOnnxNodeEngine({ device: "webgpu" }));
});
