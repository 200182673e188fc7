// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { KernelError } from "../../../src/kernels/errors.ts";
import { openGpuDevice } from "../../../src/kernels/gpu/gpuDevice.ts";
import { gpuKernelsOn, openGpuKernels } from "../../../src/kernels/gpu/gpuKernels.ts";
import { LIMB_LIMIT, LIMBS } from "../../../src/kernels/gpu/shaders/gram.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { dense, TOP } from "../chunks.ts";
import * as oracle from "../oracle.ts";
import { driverIsMissing } from "./driver.ts";

const skip = await driverIsMissing();
const chunksOf = (values: readonly Int32Array[]) => values.map((row) => dense(row).chunk);
const code = (expected: string) => (error: unknown) => error instanceof KernelError && error.code === expected;

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

  it("after an error of one call serves the next", async () => {
    const gpu = await openGpuDevice();
    const kernels = gpuKernelsOn(gpu);
    await assert.rejects(
      gpu.guard(async () => {
        gpu.device.createBuffer({ size: 4, usage: 0 });
        await gpu.device.queue.onSubmittedWorkDone();
        await new Promise((resolve) => setImmediate(resolve));
      }),
      code("GPU_FAILED"),
    );
    assert.deepEqual([...(await kernels.coordinateMedian(chunksOf([Int32Array.of(4)])))], [4 * 65_536]);
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

  it("takes 2 048 updates at the ends of the grid in every order statistic", async () => {
    const kernels = await openGpuKernels();
    const random = keyedRandom("2048 updates");
    const few = [TOP, -TOP, 0, 1];
    const rows = Array.from({ length: 2_048 }, (_, k) =>
      Int32Array.of(
        TOP,
        -TOP,
        k < 1_024 ? TOP : -TOP,
        random.integerBelow(2 * TOP + 1) - TOP,
        few[random.integerBelow(4)] as number,
        k - 1_000,
      ),
    );
    const updates = chunksOf(rows);
    assert.deepEqual([...(await kernels.coordinateMedian(updates))], oracle.coordinateMedian(rows));
    for (const trim of [0, 700, 1_023])
      assert.deepEqual([...(await kernels.trimmedMean(updates, trim))], oracle.trimmedMean(rows, trim), `trim ${trim}`);
    for (const nearest of [1, 3, 1_025, 2_048])
      assert.deepEqual(
        [...(await kernels.meanAroundMedian(updates, nearest))],
        oracle.meanAroundMedian(rows, nearest),
        `nearest ${nearest}`,
      );
    const gram = await kernels.gram(updates);
    for (const [i, k] of [
      [0, 0],
      [0, 2_047],
      [2_047, 2_047],
      [1_023, 1_024],
      [1_111, 17],
    ] as const)
      assert.equal(gram[i]?.[k], oracle.dot(rows[i] as Int32Array, rows[k] as Int32Array));
    await kernels.close();
  });

  it("sums as many values in registers as int32 holds", async () => {
    const kernels = await openGpuKernels({ tuning: { registerUpdates: 2_048 } });
    const rows = Array.from({ length: 128 }, () => Int32Array.of(TOP, -TOP));
    assert.deepEqual([...(await kernels.trimmedMean(chunksOf(rows), 0))], [TOP * 65_536, -TOP * 65_536]);
    await kernels.close();
  });
});
