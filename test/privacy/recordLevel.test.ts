// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clippedGradientSum, noisyGradient, poissonBatch, recordSampling } from "../../src/privacy/recordLevel.ts";
import { secretStream } from "../../src/privacy/secretStream.ts";

const words = (round: number): ReturnType<typeof secretStream> =>
  secretStream(new Uint8Array(32).fill(3), { run: 1n, round, purpose: "batch" });
const GRADIENTS = [
  Float32Array.of(3, 4),
  Float32Array.of(0.3, -0.4),
  Float32Array.of(0, 0),
  Float32Array.of(Number.NaN, 1),
];
const gradientOf = async (i: number): Promise<Float32Array> => GRADIENTS[i] as Float32Array;

describe("clippedGradientSum", () => {
  it("(3, 4) counts as (1.5, 2) at C = 2.5, (0.3, −0.4) as itself, zero and NaN as nothing", async () => {
    const { sum, norms } = await clippedGradientSum([0, 1, 2, 3], gradientOf, 2, 2.5);
    const unit = 2.5 / 2 ** 20;
    assert.ok(sum.every(Number.isInteger));
    assert.ok(Math.abs((sum[0] as number) * unit - 1.8) < 1e-5);
    assert.ok(Math.abs((sum[1] as number) * unit - 1.6) < 1e-5);
    assert.ok(Math.abs((norms[0] as number) - 5) < 1e-6 && norms[2] === 0 && Number.isNaN(norms[3]));
  });
  it("no sample moves the sum by more than C", async () => {
    for (const i of [0, 1, 2, 3]) {
      const { sum } = await clippedGradientSum([i], gradientOf, 2, 0.7);
      assert.ok(Math.hypot(...sum) <= 2 ** 20);
    }
  });
});

describe("noisyGradient", () => {
  it("is the sum with noise zC over the expected batch size, whatever the batch's own", async () => {
    const size = 3_000;
    const sum = new Float64Array(size).fill(2 ** 20);
    const parameters = { clipNorm: 2, noiseMultiplier: 1.5, batchSize: 10 };
    const gradient = noisyGradient({ sum, norms: new Float64Array(3) }, parameters, words(1));
    const mean = gradient.reduce((total, v) => total + v, 0) / size;
    const sd = Math.sqrt(gradient.reduce((total, v) => total + (v - mean) ** 2, 0) / size);
    assert.ok(Math.abs(mean - 0.2) < (4 * 0.3) / Math.sqrt(size), String(mean));
    assert.ok(Math.abs(sd - 0.3) < 0.016, String(sd));
  });
});

describe("poissonBatch", () => {
  it("has each sample by itself with probability q", () => {
    const sizes = Array.from({ length: 400 }, (_, round) => poissonBatch(200, 0.1, words(round)).length);
    const mean = sizes.reduce((a, b) => a + b, 0) / sizes.length;
    const variance = sizes.reduce((a, b) => a + (b - mean) ** 2, 0) / sizes.length;
    assert.ok(Math.abs(mean - 20) < 4 * Math.sqrt(18 / 400), String(mean));
    assert.ok(Math.abs(variance - 18) < 6, String(variance));
    assert.equal(poissonBatch(50, 1, words(1)).length, 50);
    assert.deepEqual(poissonBatch(50, 0, words(1)), []);
  });
  it("q = B/n, and never more than all of them", () => {
    assert.equal(recordSampling({ samples: 600, batchSize: 60 }), 0.1);
    assert.throws(() => recordSampling({ samples: 10, batchSize: 60 }), /smaller batch/);
  });
});
