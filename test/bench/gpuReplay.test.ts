// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GpuReplay } from "../../bench/peers/gpuReplay.ts";
import { openGpuDevice } from "../../src/kernels/gpu/gpuDevice.ts";
import { driverIsMissing } from "../kernels/gpu/driver.ts";

describe("computing again what a GPU has already", { skip: await driverIsMissing() }, () => {
  it("computes on the bytes that were uploaded, as often as it is asked to, and gives kernels what they wanted", async () => {
    const gpu = await openGpuDevice();
    try {
      const replay = new GpuReplay(gpu);
      const updates = Array.from({ length: 3 }, (_, k) => new Int32Array(1_000).fill(10 * k));
      const chunks = updates.map((values) => ({ kind: "dense" as const, values }));
      const medians: Float64Array[] = [];
      const tiles = await replay.note(async (kernels) => medians.push(await kernels.coordinateMedian(chunks)));
      for (const median of medians) assert.deepEqual(median, new Float64Array(1_000).fill(10 * 65_536));
      assert.equal(tiles.length, medians.length);
      const once = await replay.run(tiles, 1);
      const dense = 4 * 3 * 1_000;
      // Beside the updates a tile has a head and a descriptor for each of them.
      assert.ok(once >= tiles.length * dense && once < tiles.length * (dense + 1_024), String(once));
      assert.equal(await replay.run(tiles, 5), 5 * once);
      await assert.rejects(
        replay.note(async () => {}),
        /nothing/,
      );
    } finally {
      gpu.close();
    }
  });
});
