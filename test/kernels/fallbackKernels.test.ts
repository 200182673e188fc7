// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { KernelError, type KernelProblem } from "../../src/kernels/errors.ts";
import { FallbackKernels } from "../../src/kernels/fallbackKernels.ts";
import { withFallback } from "../../src/kernels/openKernels.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { SILENT } from "../../src/protocol/logger.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { dense } from "./chunks.ts";

const UPDATES = [dense([1, -2]).chunk, dense([3, 4]).chunk];
const WEIGHTS = Uint32Array.of(2, 1);

/** The reference on a device that fails from its `after`-th call on. */
class FailingKernels implements WideKernels {
  readonly device = { backend: "gpu", name: "fails", threads: 1 } as const;
  readonly #problem: Error;
  #left: number;
  calls = 0;
  closed = 0;

  constructor(problem: Error, after = 0) {
    this.#problem = problem;
    this.#left = after;
  }

  readonly allocate = referenceKernels.allocate;
  readonly weightedSum = this.#failing(referenceKernels.weightedSum);
  readonly gram = this.#failing(referenceKernels.gram);
  readonly squaredNorms = this.#failing(referenceKernels.squaredNorms);
  readonly squaredDistances = this.#failing(referenceKernels.squaredDistances);
  readonly coordinateMedian = this.#failing(referenceKernels.coordinateMedian);
  readonly trimmedMean = this.#failing(referenceKernels.trimmedMean);
  readonly meanAroundMedian = this.#failing(referenceKernels.meanAroundMedian);

  async close(): Promise<void> {
    this.closed++;
  }

  #failing<A extends unknown[], R>(kernel: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      this.calls++;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#left-- <= 0) throw this.#problem;
      return kernel.apply(referenceKernels, args);
    };
  }
}

const problem = (code: KernelProblem): KernelError => new KernelError(code, `a sentence about ${code}`);

describe("FallbackKernels", () => {
  for (const code of ["GPU_FAILED", "OUT_OF_MEMORY"] as const) {
    it(`makes the calls again that end with ${code}, opens the other device once, and stays with it`, async () => {
      const first = new FailingKernels(problem(code), 1);
      const reasons: string[] = [];
      const kernels = new FallbackKernels(first, async (reason) => {
        reasons.push(reason.code);
        return referenceKernels;
      });
      assert.deepEqual([...(await kernels.weightedSum(UPDATES, WEIGHTS))], [5, 0]);
      assert.equal(kernels.device.backend, "gpu");
      // All at once, so that several are under way when the device fails.
      const [gram, norms, distances, median, trimmed, around] = await Promise.all([
        kernels.gram(UPDATES),
        kernels.squaredNorms(UPDATES),
        kernels.squaredDistances(UPDATES, UPDATES[0] as (typeof UPDATES)[number]),
        kernels.coordinateMedian(UPDATES),
        kernels.trimmedMean(UPDATES, 0),
        kernels.meanAroundMedian(UPDATES, 1),
      ]);
      assert.deepEqual(gram, [
        [5n, -5n],
        [-5n, 25n],
      ]);
      assert.deepEqual(norms, [5n, 25n]);
      assert.deepEqual(distances, [0n, 40n]);
      assert.deepEqual([...median], [2 * 65_536, 65_536]);
      assert.deepEqual([...trimmed], [2 * 65_536, 65_536]);
      assert.deepEqual([...around], [65_536, -2 * 65_536]);
      assert.equal(kernels.device.backend, "reference");
      assert.deepEqual(reasons, [code]);
      const { calls } = first;
      await kernels.weightedSum(UPDATES, WEIGHTS);
      assert.equal(first.calls, calls);
      await kernels.close();
      assert.equal(first.closed, 1);
    });
  }

  it("lets everything else through: defects, and the other device's own problems", async () => {
    const defect = new FallbackKernels(new FailingKernels(new TypeError("a defect")), async () => referenceKernels);
    await assert.rejects(defect.gram(UPDATES), TypeError);
    assert.equal(defect.device.backend, "gpu");
    const second = new FailingKernels(problem("OUT_OF_MEMORY"));
    const both = new FallbackKernels(new FailingKernels(problem("GPU_FAILED")), async () => second);
    await assert.rejects(both.gram(UPDATES), { code: "OUT_OF_MEMORY" });
    await assert.rejects(both.gram(UPDATES), { code: "OUT_OF_MEMORY" });
    assert.equal(second.calls, 2);
    await both.close();
    assert.equal(second.closed, 1);
  });

  it("fails with the other device's reason when that cannot be opened, and still closes", async () => {
    const first = new FailingKernels(problem("GPU_FAILED"));
    const kernels = new FallbackKernels(first, async () => {
      throw problem("KERNELS_NOT_BUILT");
    });
    await assert.rejects(kernels.gram(UPDATES), { code: "KERNELS_NOT_BUILT" });
    await kernels.close();
    assert.equal(first.closed, 1);
  });

  it("under --device auto goes on with the processor and says so once", async () => {
    const warnings: Record<string, unknown>[] = [];
    const logger: Logger = { ...SILENT, warn: (fields) => warnings.push(fields) };
    const kernels = withFallback(new FailingKernels(problem("GPU_FAILED")), 2, logger);
    try {
      for (let i = 0; i < 3; i++) assert.deepEqual([...(await kernels.weightedSum(UPDATES, WEIGHTS))], [5, 0]);
      assert.equal(kernels.device.backend, "cpu");
      assert.deepEqual(
        warnings.map(({ code, reason, backend }) => ({ code, reason, backend })),
        [{ code: "GPU_FAILED", reason: "a sentence about GPU_FAILED", backend: "cpu" }],
      );
    } finally {
      await kernels.close();
    }
  });
});
