// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { findSoftwareVulkan } from "../../../scripts/lib/softwareVulkan/manifest.ts";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { KernelError } from "../../../src/kernels/errors.ts";
import { checkKernels } from "../../../src/kernels/gpu/checkKernels.ts";
import { probeAdapter } from "../../../src/kernels/gpu/probeAdapter.ts";
import { openWebgpu } from "../../../src/kernels/gpu/webgpuDoor.ts";
import type { WideKernels } from "../../../src/protocol/wideKernels.ts";

const folder = mkdtempSync(join(tmpdir(), "foedus-gpu-"));
after(() => rmSync(folder, { recursive: true }));

/** With the loader of drivers, if any was unpacked: then it is the driver that is missed, and not the loader. */
const driver = (file: string): NodeJS.ProcessEnv => ({
  ...process.env,
  ...findSoftwareVulkan()?.environment,
  VK_DRIVER_FILES: file,
});

async function refusal(env: NodeJS.ProcessEnv): Promise<string> {
  const error: unknown = await probeAdapter(env).then(
    (adapter) => assert.fail(`found ${adapter.name}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof KernelError);
  assert.equal(error.code, "GPU_UNAVAILABLE");
  assert.match(error.message, /^No GPU can be used: [^\n]+\. Use --device cpu; what a GPU needs is in docs\/[^\n]+\.$/);
  return error.message;
}

describe("a GPU that cannot be used", {
  skip: process.platform !== "linux" && "drivers are chosen by VK_DRIVER_FILES on Linux",
}, () => {
  it("because there is no driver, is said with Dawn's reason", async () => {
    const message = await refusal(driver(join(folder, "absent.json")));
    assert.match(message, /Found no drivers|VK_ERROR_INCOMPATIBLE_DRIVER|load Vulkan/);
  });

  it("because the driver's library is no library, is said with a reason", async () => {
    const library = join(folder, "broken.so");
    writeFileSync(library, "not a library");
    const file = join(folder, "broken.json");
    writeFileSync(
      file,
      JSON.stringify({ file_format_version: "1.0.0", ICD: { api_version: "1.1.0", library_path: library } }),
    );
    assert.match(await refusal(driver(file)), /VK_ERROR|drivers|load Vulkan/);
  });

  it("because its driver crashes, takes down a probe and not the process that asks", async () => {
    const crash = "--import=data:text/javascript,process.kill(process.pid,'SIGSEGV')";
    assert.match(await refusal({ ...process.env, NODE_OPTIONS: crash }), /the driver ended its process \(SIGSEGV\)/);
  });
});

describe("without the package webgpu", () => {
  it("GPU_UNAVAILABLE says how to install it", async () => {
    const absent = async (): Promise<never> => {
      throw new Error("Cannot find package 'webgpu' imported from webgpuDoor.ts\nand a stack");
    };
    await assert.rejects(openWebgpu(absent), (error: unknown) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, "GPU_UNAVAILABLE");
      assert.match(
        error.message,
        /\(Cannot find package 'webgpu' imported from webgpuDoor\.ts\).*npm install --include=optional/,
      );
      return true;
    });
  });

  it("so does the process that probes", async () => {
    const hook = `import { registerHooks } from "node:module";
      registerHooks({
        resolve(name, context, next) {
          if (name === "webgpu") throw new Error("Cannot find package 'webgpu'");
          return next(name, context);
        },
      });`;
    const message = await refusal({
      ...process.env,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
    });
    assert.match(
      message,
      /: the optional package webgpu does not load .*Cannot find package.*npm install --include=optional/,
    );
  });
});

describe("checkKernels", () => {
  it("accepts kernels that compute by the definitions", async () => {
    await checkKernels(referenceKernels);
  });

  it("refuses a device that gets one number of one kernel wrong", async () => {
    const wrong: Partial<WideKernels>[] = [
      {
        async weightedSum(...given) {
          const result = await referenceKernels.weightedSum(...given);
          return result.map((value, j) => (j === 5 ? value + 1 : value));
        },
      },
      {
        async gram(updates) {
          const matrix = await referenceKernels.gram(updates);
          return matrix.map((row, i) => row.map((value, k) => (i + k === 3 ? -value : value)));
        },
      },
      { squaredDistances: (updates) => referenceKernels.squaredNorms(updates) },
      { coordinateMedian: (updates) => referenceKernels.trimmedMean(updates, 0) },
      { meanAroundMedian: async () => new Float64Array(0) },
    ];
    for (const kernels of wrong) {
      const device = { backend: "gpu", name: "a broken GPU", threads: 1 } as const;
      await assert.rejects(checkKernels({ ...referenceKernels, device, ...kernels }), {
        code: "GPU_UNAVAILABLE",
        message: /: a broken GPU computes a wrong [a-zG ]+: its driver is broken\. Use --device cpu/,
      });
    }
  });
});
