// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openCpuKernels } from "../../src/kernels/cpu/cpuKernels.ts";
import { openGpuKernels } from "../../src/kernels/gpu/gpuKernels.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { UpdateChunk } from "../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { blocks, dense, sparse, TOP } from "../kernels/chunks.ts";
import { driverIsMissing } from "../kernels/gpu/driver.ts";
import * as oracle from "../kernels/oracle.ts";
import { describeKernels } from "../kernels/suite.ts";
import { sameResult } from "../support/sameResult.ts";

const skip = await driverIsMissing();
type Call = readonly [
  name: string,
  call: (kernels: WideKernels, chunks: readonly UpdateChunk[], weights: Uint32Array) => Promise<unknown>,
];
const CALLS: readonly Call[] = [
  ["weighted sum", (kernels, chunks, weights) => kernels.weightedSum(chunks, weights)],
  ["Gram matrix", (kernels, chunks) => kernels.gram(chunks)],
  ["squared norms", (kernels, chunks) => kernels.squaredNorms(chunks)],
  ["squared distances", (kernels, chunks) => kernels.squaredDistances(chunks, chunks.at(-1) as UpdateChunk)],
  ["median", (kernels, chunks) => kernels.coordinateMedian(chunks)],
  ["trimmed mean", (kernels, chunks) => kernels.trimmedMean(chunks, (chunks.length - 1) >> 2)],
  ["mean around the median", (kernels, chunks) => kernels.meanAroundMedian(chunks, (chunks.length + 1) >> 1)],
];
const chunksOf = (values: readonly Int32Array[]) => values.map((row) => dense(row).chunk);

if (skip === false) {
  const sizes = [255, 256, 257, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385];
  describeKernels("gpu kernels", () => openGpuKernels(), sizes);
  describeKernels("gpu kernels, int8 products by hand", () => openGpuKernels({ tuning: { packedDot: false } }), sizes);
  describeKernels(
    "gpu kernels, order statistics by counting, many tiles",
    () => openGpuKernels({ tuning: { registerUpdates: 0, tileBytes: 4_096 } }),
    [255, 256, 257],
  );
}

describe("gpu kernels at their bounds", { skip }, () => {
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
    sameResult([...(await kernels.coordinateMedian(updates))], oracle.coordinateMedian(rows));
    for (const trim of [0, 700, 1_023])
      sameResult([...(await kernels.trimmedMean(updates, trim))], oracle.trimmedMean(rows, trim), `trim ${trim}`);
    for (const nearest of [1, 3, 1_025, 2_048])
      sameResult(
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
    for (const count of [128, 129]) {
      const rows = Array.from({ length: count }, () => Int32Array.of(TOP, -TOP));
      const ends = [TOP * 65_536, -TOP * 65_536];
      sameResult([...(await kernels.trimmedMean(chunksOf(rows), 0))], ends, `K = ${count}`);
      sameResult([...(await kernels.meanAroundMedian(chunksOf(rows), count))], ends, `K = ${count}`);
    }
    await kernels.close();
  });
});

describe("gpu kernels on updates that do not fit the device at once", { skip }, () => {
  /** Runs one kernel after the other on both backends, so that only two results are held. */
  async function compare(
    chunks: readonly UpdateChunk[],
    weights: Uint32Array,
    kernels: readonly Call[],
  ): Promise<void> {
    const [gpu, cpu] = [await openGpuKernels(), await openCpuKernels()];
    try {
      for (const [name, call] of kernels)
        sameResult(await call(gpu, chunks, weights), await call(cpu, chunks, weights), name);
    } finally {
      await gpu.close();
      await cpu.close();
    }
  }

  it("one dense update wider than a binding of 128 MiB, with all the weight", async () => {
    const random = keyedRandom("wide");
    const period = Int32Array.from({ length: 10_007 }, () => random.integerBelow(2 * TOP + 1) - TOP);
    const values = Int32Array.from({ length: 33_554_432 + 9 }, (_, j) => period[j % 10_007] as number);
    values.fill(TOP, 0, 100_000).fill(-TOP, 33_554_000);
    const every = CALLS.filter(([name]) => !["trimmed mean", "mean around the median"].includes(name));
    await compare(chunksOf([values]), Uint32Array.of(65_536), every);
  });

  it("twenty updates of a million coordinates in every form", async () => {
    const random = keyedRandom("twenty");
    const size = 1_000_003;
    const period = Int32Array.from({ length: 65_537 }, () => random.integerBelow(2 * TOP + 1) - TOP);
    const chunks = Array.from({ length: 20 }, (_, k): UpdateChunk => {
      const values = Int32Array.from({ length: size }, (_, j) => period[(j * (k + 1) + k) % 65_537] as number);
      if (k % 4 === 0) return dense(values).chunk;
      if (k % 4 === 1) return blocks(values, 1, 128).chunk;
      if (k % 4 === 2) return blocks(values, 2, 128).chunk;
      return sparse(values.map((q, j) => (j % 11 === k ? q : 0))).chunk;
    });
    const weights = new Uint32Array(20).fill(3_276);
    weights[19] = 65_536 - 19 * 3_276;
    await compare(chunks, weights, CALLS);
  });
});
