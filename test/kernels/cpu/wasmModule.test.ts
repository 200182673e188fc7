// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { loadKernelModule } from "../../../src/kernels/cpu/wasmModule.ts";

it("kernels that were not built are an error that says what to do", async () => {
  await assert.rejects(loadKernelModule(new URL("file:///nowhere/kernels.wasm")), {
    code: "KERNELS_NOT_BUILT",
    message: /npm run setup/,
  });
});
