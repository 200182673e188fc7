// SPDX-License-Identifier: Apache-2.0
import { describe } from "node:test";
import { openGpuKernels } from "../../../src/kernels/gpu/gpuKernels.ts";
import { describeKernels } from "../suite.ts";
import { driverIsMissing } from "./driver.ts";

const skip = await driverIsMissing();
if (skip !== false) describe("gpu kernels", { skip }, () => {});
else {
  // A workgroup has 64 threads of four coordinates, or of one; norms take 4 096 coordinates to a workgroup, inner products 16 384.
  const sizes = [255, 256, 257, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385];
  describeKernels("gpu kernels", () => openGpuKernels(), sizes);
  describeKernels(
    "gpu kernels, int8 products by hand",
    () => openGpuKernels({ tuning: { packedDot: false } }),
    [16_385],
  );
  describeKernels(
    "gpu kernels, order statistics by counting, many tiles",
    () => openGpuKernels({ tuning: { registerUpdates: 0, tileBytes: 4_096 } }),
    [255, 256, 257],
  );
}
