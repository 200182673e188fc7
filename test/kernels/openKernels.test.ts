// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { KernelError } from "../../src/kernels/errors.ts";
import { openKernels } from "../../src/kernels/openKernels.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import { DEVICES } from "../../src/protocol/wideKernels.ts";
import { dense } from "./chunks.ts";

const PATH = new URL("../../src/kernels/openKernels.ts", import.meta.url).href;

/** What a program prints that runs in a process of its own, on a machine that has no driver for a GPU. */
async function withoutDrivers(program: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", `const { openKernels } = await import(${JSON.stringify(PATH)});\n${program}`],
    { env: { ...process.env, VK_DRIVER_FILES: "/nonexistent/driver.json" }, timeout: 120_000 },
  );
  return JSON.parse(stdout);
}

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
        assert.match(error.message, /Use --device cpu/);
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

describe("openKernels on a machine without a driver for a GPU", {
  skip: process.platform !== "linux" && "drivers are chosen by VK_DRIVER_FILES on Linux",
}, () => {
  it("auto computes on the processor and says once why, gpu says what to do, and however many open them probe once", async () => {
    const said = await withoutDrivers(`
      import { subscribe } from "node:diagnostics_channel";
      let probes = 0;
      subscribe("child_process", ({ process: child }) => {
        child.once("spawn", () => { if (child.spawnargs.some((arg) => arg.endsWith("adapterProbe.ts"))) probes++; });
      });
      const lines = [];
      const log = (level) => (fields, message) => lines.push({ level, message, ...fields });
      const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
      const kernels = await openKernels({ device: "auto", threads: 1, logger });
      const sum = await kernels.weightedSum([{ kind: "dense", values: Int32Array.of(5, -6) }], Uint32Array.of(65536));
      const others = await Promise.all(["auto", "auto"].map((device) => openKernels({ device, threads: 1 })));
      const refused = await openKernels({ device: "gpu", logger }).catch(({ code, message }) => ({ code, message }));
      for (const opened of [kernels, ...others]) await opened.close();
      console.log(JSON.stringify({ probes, lines, refused, sum: [...sum], backend: kernels.device.backend }));`);
    const { probes, lines, refused, sum, backend } = said as {
      probes: number;
      lines: { level: string; message: string; reason?: string; backend?: string }[];
      refused: { code: string; message: string };
      sum: number[];
      backend: string;
    };
    assert.equal(probes, 1);
    assert.equal(backend, "cpu");
    assert.deepEqual(sum, [5 * 65_536, -6 * 65_536]);
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [
        ["info", "no GPU is used for aggregation"],
        ["info", "aggregation device"],
      ],
    );
    assert.match(lines[0]?.reason ?? "", /^there is no adapter; .*(Vulkan|VK_)/);
    assert.equal(lines[1]?.backend, "cpu");
    assert.equal(refused.code, "GPU_UNAVAILABLE");
    assert.match(refused.message, /^No GPU can be used: there is no adapter; .+\. Use --device cpu; what a GPU needs/);
  });
});
