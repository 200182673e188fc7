// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KernelError } from "../../src/kernels/errors.ts";
import { openKernels } from "../../src/kernels/openKernels.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { DEVICES } from "../../src/protocol/wideKernels.ts";
import { dense } from "./chunks.ts";

describe("openKernels", () => {
  for (const device of DEVICES) {
    it(`${device}: computes what it says it does, or says why not and what to do`, async () => {
      const said: string[] = [];
      const logger: Logger = { ...SILENT, info: (...args: unknown[]) => said.push(String(args.at(-1))) } as Logger;
      let kernels: Awaited<ReturnType<typeof openKernels>>;
      try {
        kernels = await openKernels({ device, threads: 2, logger });
      } catch (error) {
        // Only who insists on a GPU may be refused.
        assert.equal(device, "gpu");
        assert.ok(error instanceof KernelError);
        assert.equal(error.code, "GPU_UNAVAILABLE");
        assert.match(error.message, /--device cpu/);
        return;
      }
      try {
        if (device !== "auto") assert.equal(kernels.device.backend, device);
        assert.notEqual(kernels.device.backend, "reference");
        assert.equal(said.filter((message) => message === "aggregation device").length, 1);
        const sum = await kernels.weightedSum([dense([1, -2]).chunk, dense([3, 4]).chunk], Uint32Array.of(2, 1));
        assert.deepEqual([...sum], [5, 0]);
      } finally {
        await kernels.close();
      }
    });
  }
});
