// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { KernelError } from "../../../src/kernels/errors.ts";
import { describeAdapter, requestAdapter } from "../../../src/kernels/gpu/adapter.ts";
import { GpuDevice, openGpuDevice } from "../../../src/kernels/gpu/gpuDevice.ts";
import { gpuKernelsOn, openGpuKernels } from "../../../src/kernels/gpu/gpuKernels.ts";
import { probeAdapterOnce } from "../../../src/kernels/gpu/probeAdapter.ts";
import { LIMB_LIMIT, LIMBS } from "../../../src/kernels/gpu/shaders/gram.ts";
import { openWebgpu } from "../../../src/kernels/gpu/webgpuDoor.ts";
import { openKernels, withFallback } from "../../../src/kernels/openKernels.ts";
import { type Logger, SILENT } from "../../../src/protocol/logger.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { dense, TOP } from "../chunks.ts";
import { driverIsMissing } from "./driver.ts";

const skip = await driverIsMissing();
const chunksOf = (values: readonly Int32Array[]) => values.map((row) => dense(row).chunk);
const code = (expected: string) => (error: unknown) => error instanceof KernelError && error.code === expected;

/** With buffers as large as the adapter allows at all, which the kernels never ask for. */
async function openDeviceOfAnySize(): Promise<GpuDevice> {
  const [{ gpu, flags }, adapter] = [await openWebgpu(), await requestAdapter()];
  assert.ok(adapter !== null);
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize: adapter.limits.maxBufferSize } });
  const packedDot = gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product");
  return new GpuDevice(device, { ...describeAdapter(adapter), flags, packedDot });
}

describe("a GPU device", { skip }, () => {
  it("has its driver's name, and says whether it is software", async () => {
    const kernels = await openGpuKernels();
    assert.equal(kernels.device.backend, "gpu");
    assert.ok(kernels.device.name.length > 0);
    if (process.env.FOEDUS_TEST_DRIVER !== undefined) {
      assert.equal(kernels.device.name, process.env.FOEDUS_TEST_DRIVER);
      assert.equal(kernels.software, true);
      await assert.rejects(openGpuKernels({ allowSoftware: false }), code("GPU_UNAVAILABLE"));
    }
    await kernels.close();
  });

  it("is what --device gpu takes, also in software, and --device auto only if it is real", async () => {
    const software = (await probeAdapterOnce()).software;
    const reasons: string[] = [];
    const logger: Logger = { ...SILENT, info: ({ reason }) => reasons.push(...(reason ? [String(reason)] : [])) };
    const gpu = await openKernels({ device: "gpu", logger });
    const auto = await openKernels({ device: "auto", threads: 1, logger });
    assert.equal(gpu.device.backend, "gpu");
    assert.equal(auto.device.backend, software ? "cpu" : "gpu");
    assert.equal(reasons.length, software ? 1 : 0);
    if (software) assert.match(reasons[0] as string, /computes on the processor, slower than the cpu backend/);
    await gpu.close();
    await auto.close();
  });

  it("that is lost while it computes, or before, makes GPU_FAILED of every call", async () => {
    const gpu = await openGpuDevice();
    const kernels = gpuKernelsOn(gpu, { tileBytes: 65_536 });
    const updates = chunksOf(Array.from({ length: 8 }, () => new Int32Array(200_000).fill(7)));
    const weights = new Uint32Array(8).fill(8_192);
    assert.equal((await kernels.weightedSum(updates, weights))[199_999], 7 * 65_536);
    const calls = [kernels.weightedSum(updates, weights), kernels.gram(updates), kernels.coordinateMedian(updates)];
    await new Promise((resolve) => setImmediate(resolve));
    gpu.device.destroy();
    for (const call of await Promise.allSettled(calls)) {
      assert.ok(call.status === "rejected" && code("GPU_FAILED")(call.reason), String(call.status));
    }
    await assert.rejects(kernels.squaredNorms(updates), code("GPU_FAILED"));
    await kernels.close();
  });

  it("after an error of one call, or of none, serves the next", async () => {
    const gpu = await openGpuDevice();
    const kernels = gpuKernelsOn(gpu);
    const median = async () => [...(await kernels.coordinateMedian(chunksOf([Int32Array.of(4)])))];
    const invalid = () => gpu.device.createBuffer({ size: 4, usage: 0 });
    await assert.rejects(
      gpu.guard(async () => invalid()),
      /^KernelError: The GPU .+ gave an error: Buffer usages must not be 0\. Start again, with --device cpu/,
    );
    assert.deepEqual(await median(), [4 * 65_536]);
    invalid();
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(median(), code("GPU_FAILED"));
    assert.deepEqual(await median(), [4 * 65_536]);
    // In the middle of a call that holds buffers.
    const updates = chunksOf([new Int32Array(5_000).fill(3), new Int32Array(5_000).fill(-2)]);
    const gram = kernels.gram(updates);
    await new Promise((resolve) => setImmediate(resolve));
    invalid();
    await assert.rejects(gram, code("GPU_FAILED"));
    assert.deepEqual(await kernels.gram(updates), [
      [45_000n, -30_000n],
      [-30_000n, 20_000n],
    ]);
    await kernels.close();
  });

  it("without enough memory makes OUT_OF_MEMORY of the call and serves the next", async (t) => {
    const gpu = await openDeviceOfAnySize();
    const kernels = gpuKernelsOn(gpu);
    const { STORAGE } = gpu.flags.GPUBufferUsage;
    const held: GPUBuffer[] = [];
    const allocation = gpu.guard(async () => {
      const { maxBufferSize: size } = gpu.device.limits;
      for (let i = 0; i < 64; i++) held.push(gpu.device.createBuffer({ size, usage: STORAGE }));
    });
    const problem = await allocation.then(
      () => undefined,
      (error: unknown) => error,
    );
    for (const buffer of held) buffer.destroy();
    assert.deepEqual([...(await kernels.coordinateMedian(chunksOf([Int32Array.of(4)])))], [4 * 65_536]);
    await kernels.close();
    // A driver may promise more memory than there is.
    if (problem === undefined)
      return t.skip(`this device holds 64 buffers of ${gpu.device.limits.maxBufferSize} bytes`);
    assert.ok(code("OUT_OF_MEMORY")(problem), String(problem));
    assert.match((problem as Error).message, /has not enough memory: .+\. Free some of it, or use --device cpu\.$/);
  });

  it("that is lost under --device auto leaves its work to the processor, with the same bits", async () => {
    const gpu = await openGpuDevice();
    const warnings: unknown[] = [];
    const logger: Logger = { ...SILENT, warn: ({ code }) => warnings.push(code) };
    const kernels = withFallback(gpuKernelsOn(gpu, { tileBytes: 65_536 }), 2, logger);
    const random = keyedRandom("fallback");
    const rows = Array.from({ length: 9 }, () =>
      Int32Array.from({ length: 100_000 }, () => random.integerBelow(2 * TOP + 1) - TOP),
    );
    const updates = chunksOf(rows);
    const before = [await kernels.coordinateMedian(updates), await kernels.gram(updates)];
    assert.equal(kernels.device.backend, "gpu");
    const under = [kernels.coordinateMedian(updates), kernels.gram(updates)];
    await new Promise((resolve) => setImmediate(resolve));
    gpu.device.destroy();
    assert.deepEqual(await Promise.all(under), before);
    assert.equal(kernels.device.backend, "cpu");
    assert.deepEqual(warnings, ["GPU_FAILED"]);
    await kernels.close();
  });

  it("does not hold more than memory does", async () => {
    const kernels = await openGpuKernels();
    assert.throws(() => kernels.allocate(2 ** 50), code("OUT_OF_MEMORY"));
    await kernels.close();
  });

  it("that is closed lets the process end, and so does one that is not", async () => {
    const path = new URL("../../../src/kernels/gpu/gpuKernels.ts", import.meta.url).href;
    for (const end of ["await kernels.close();", ""]) {
      const program = `const { openGpuKernels } = await import(${JSON.stringify(path)});
        const kernels = await openGpuKernels();
        const sum = await kernels.weightedSum([{ kind: "dense", values: Int32Array.of(5, -6) }], Uint32Array.of(65536));
        ${end}
        console.log([...sum].join());`;
      const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
        timeout: 60_000,
      });
      assert.equal(stdout, "327680,-393216\n");
    }
  });
});

describe("bounds of the gpu kernels", { skip }, () => {
  it("holds the largest values of each number of limbs, and what is one more: long constant and alternating vectors, all pairs", async () => {
    const kernels = await openGpuKernels();
    // −8 421 504 is −128 in each of three limbs.
    const values = [
      ...LIMBS.slice(0, 3).flatMap((limbs) => [LIMB_LIMIT[limbs], LIMB_LIMIT[limbs] + 1]),
      8_421_504,
      TOP,
    ];
    for (const largest of values) {
      const constant = new Int32Array(40_003).fill(largest);
      const negative = constant.map((q) => -q);
      const alternating = constant.map((q, j) => (j % 2 === 0 ? q : -q));
      const updates = [constant, negative, alternating, negative, constant];
      const gram = await kernels.gram(chunksOf(updates));
      const square = BigInt(largest) ** 2n;
      const plain = 40_003n * square;
      assert.deepEqual(gram[0], [plain, -plain, square, -plain, plain], `±${largest}`);
      assert.deepEqual(gram[1], [-plain, plain, -square, plain, -plain]);
      assert.deepEqual(gram[2], [square, -square, plain, -square, square]);
    }
    await kernels.close();
  });
});
