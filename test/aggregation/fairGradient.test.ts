// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FairGradientParameters } from "../../src/aggregation/fairGradient.ts";
import { assertWeights, line, nats, outcome } from "./run.ts";

const run = (parameters: FairGradientParameters, losses: readonly number[], samples?: readonly number[]) =>
  outcome({ rule: "fair-gradient", parameters }, line(...losses.map((_, i) => i)), samples, undefined, { losses });

describe("fair gradient", () => {
  it("the example of the specification: losses (1, 2, 3) and λ_f = .1 add (−.0667, 0, .0667) to ⅓", async () => {
    const { weights } = await run({ strength: 0.1, prior: "uniform" }, nats(1, 2, 3));
    assertWeights(weights, [1 / 3 - 0.2 / 3, 1 / 3, 1 / 3 + 0.2 / 3]);
  });

  it("what falls below 0 is 0 and not kept, and the rest is normalised", async () => {
    // ⅓ + ⅔·(−1, 0, 1) = (−⅓, ⅓, 1).
    const { weights, keptAt } = await run({ strength: 1, prior: "uniform" }, nats(1, 2, 3));
    assertWeights(weights, [0, 0.25, 0.75]);
    assert.deepEqual(keptAt, [1, 2]);
  });

  it("no strength is the mean by samples", async () => {
    assert.deepEqual([...(await run({ strength: 0, prior: "samples" }, nats(1, 9), [1, 3])).weights], [16_384, 49_152]);
  });

  it("clips losses to median + k·MAD", async () => {
    // Median 2, MAD 1, limit 3: losses (1, 2, 3) as above.
    const { weights } = await run({ strength: 0.1, prior: "uniform", capMads: 1 }, nats(1, 2, 900));
    assertWeights(weights, [1 / 3 - 0.2 / 3, 1 / 3, 1 / 3 + 0.2 / 3]);
  });
});
