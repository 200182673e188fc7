// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openGpuDevice } from "../../../src/kernels/gpu/gpuDevice.ts";
import { gpuKernelsOn, openGpuKernels } from "../../../src/kernels/gpu/gpuKernels.ts";
import type { GpuTuning } from "../../../src/kernels/gpu/tuning.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { UpdateChunk } from "../../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../../src/protocol/wideKernels.ts";
import { sameResult } from "../../support/sameResult.ts";
import { dense, FORMS, TOP } from "../chunks.ts";
import { describeKernels } from "../suite.ts";
import { inputsOf, readKernelCases } from "../vectors.ts";
import { driverIsMissing } from "./driver.ts";

const skip = await driverIsMissing();

/** Every way in which the kernels can be made to work; test/slow/gpuKernels.test.ts takes each through the whole suite. */
const WAYS: Readonly<Record<string, Partial<GpuTuning>>> = {
  "int8 products by hand": { packedDot: false },
  "order statistics by counting": { registerUpdates: 0 },
  "many tiles": { tileBytes: 4_096 },
  "the smallest tiles": { tileBytes: 1 },
};

async function everything(kernels: WideKernels, chunks: readonly UpdateChunk[], weights: Uint32Array) {
  return {
    weightedSum: await kernels.weightedSum(chunks, weights),
    gram: await kernels.gram(chunks),
    squaredNorms: await kernels.squaredNorms(chunks),
    squaredDistances: await kernels.squaredDistances(chunks, chunks.at(-1) as UpdateChunk),
    median: await kernels.coordinateMedian(chunks),
    trimmed: await kernels.trimmedMean(chunks, (chunks.length - 1) >> 2),
    around: await kernels.meanAroundMedian(chunks, (chunks.length + 1) >> 1),
  };
}

// A workgroup has 64 threads of four coordinates, or of one; norms take 4 096 coordinates to a workgroup, inner products 16 384.
if (skip === false) describeKernels("gpu kernels", () => openGpuKernels(), [255, 256, 257, 4_097, 16_385]);

describe("gpu kernels, however they work", { skip }, () => {
  it("use the packed dot product of int8 where the device's language has it, and only there", async (t) => {
    const gpu = await openGpuDevice();
    t.diagnostic(
      `${gpu.name}: packed dot product ${gpu.packedDot ? "present, both ways run" : "absent, by hand only"}`,
    );
    const kernels = gpuKernelsOn(gpu, { packedDot: true });
    assert.deepEqual(await kernels.gram([dense([-TOP, TOP, 128]).chunk]), [[2n * BigInt(TOP) ** 2n + 16_384n]]);
    await kernels.close();
  });

  it("give the same", async () => {
    const usual = gpuKernelsOn(await openGpuDevice());
    const others = await Promise.all(
      Object.entries(WAYS).map(async ([way, tuning]) => ({
        way,
        kernels: gpuKernelsOn(await openGpuDevice(), tuning),
      })),
    );
    const random = keyedRandom("ways");
    const ends = Object.values(FORMS).map((form) =>
      form(
        Array.from({ length: 1_030 }, () => [TOP, -TOP, -1][random.integerBelow(3)] as number),
        random,
      ),
    );
    const cases = [
      { name: "the ends of the grid", known: ends, weights: Uint32Array.of(0, 65_531, 1, 1, 1, 2) },
      ...readKernelCases()
        .filter(({ updates, size }) => updates * size <= 26_000)
        .map((given) => ({ name: given.name, ...inputsOf(given) })),
    ];
    for (const { name, known, weights } of cases) {
      const chunks = known.map(({ chunk }) => chunk);
      const expected = await everything(usual, chunks, weights);
      for (const { way, kernels } of others)
        sameResult(await everything(kernels, chunks, weights), expected, `${name}, ${way}`);
    }
    for (const kernels of [usual, ...others.map((other) => other.kernels)]) await kernels.close();
  });
});
