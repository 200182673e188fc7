// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { breachOf, load } from "./support/load.ts";

describe("series for convolutions", () => {
  for (const name of ["s-ecg", "s-iot"] as const)
    it(`${name}: channel by channel as an image of height 1, the same values`, async () => {
      const few = { name, samples: 6, testSamples: 4 };
      const [series, image] = [await load(few), await load({ ...few, order: "channels" })];
      const [steps, channels] = series.shape as [number, number];
      assert.deepEqual([image.kind, image.shape, breachOf(image)], ["image", [channels, 1, steps], undefined]);
      const parts = [
        [series.train, image.train],
        [series.test, image.test],
        [series.shifted?.test ?? series.test, image.shifted?.test ?? image.test],
      ] as const;
      for (const [before, after] of parts) {
        assert.deepEqual(after.labels, before.labels);
        for (let i = 0; i < before.size; i++)
          for (let step = 0; step < steps; step++)
            for (let channel = 0; channel < channels; channel++)
              assert.equal(
                after.features[(i * channels + channel) * steps + step],
                before.features[(i * steps + step) * channels + channel],
              );
      }
    });
});
