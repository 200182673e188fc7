// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SpflParameters } from "../../src/aggregation/spfl.ts";
import { assertWeights, line, micronats, nats, outcome } from "./run.ts";

const run = (
  parameters: SpflParameters,
  contributions: readonly (number | undefined)[],
  {
    rows = line(...contributions.map((_, i) => i + 1)),
    samples,
    losses,
  }: { rows?: number[][]; samples?: number[]; losses?: number[] } = {},
) => outcome({ rule: "spfl", parameters }, rows, samples, undefined, { losses, facts: { contributions } });

describe("SPFL's dynamic weights", () => {
  it("the example of the specification: (.2, .1, −.1) with τ = .1", async () => {
    const { weights } = await run({ weighting: "softmax", temperature: 0.1 }, micronats(0.2, 0.1, -0.1));
    assertWeights(weights, [0.705385, 0.259496, 0.035119]);
  });

  it("without a temperature of that size contributions hardly count", async () => {
    const { weights } = await run({ weighting: "softmax", temperature: 1 }, micronats(0.03, 0.02, 0.01, -0.01));
    assertWeights(weights, [0.2544, 0.2519, 0.2493, 0.2444], 8);
  });

  it("τ left out is their standard deviation, at least 10^-3 nats", async () => {
    // (.3, .1): standard deviation .1, so one unit apart… two: e².
    const e2 = Math.exp(2);
    assertWeights((await run({ weighting: "softmax" }, micronats(0.3, 0.1))).weights, [e2 / (e2 + 1), 1 / (e2 + 1)]);
    // 10^-4 apart: a tenth of the least τ.
    const little = Math.exp(0.1);
    const { weights } = await run({ weighting: "softmax" }, [105, 0]);
    assertWeights(weights, [little / (little + 1), 1 / (little + 1)], 5);
  });

  it("ratios leave out, but for a trace, whoever has not contributed", async () => {
    const { weights } = await run({ weighting: "ratio" }, micronats(0.3, 0.1, -0.5));
    assertWeights(weights, [0.75, 0.25, 0]);
    const nobody = await run({ weighting: "ratio" }, micronats(-0.3, -0.1));
    assert.deepEqual([...nobody.weights], [32_768, 32_768]);
  });

  it("the first round weighs by samples, and a newcomer counts as the median", async () => {
    const first = await run({ weighting: "softmax" }, [undefined, undefined], { samples: [1, 3] });
    assert.deepEqual([...first.weights], [16_384, 49_152]);
    const newcomer = await run({ weighting: "ratio" }, [...micronats(0.1, 0.2, 0.3), undefined]);
    assertWeights(newcomer.weights, [0.125, 0.25, 0.375, 0.25]);
  });

  it("blends with the losses' weights: κ = ½ is half of each, κ = 1 FedEBA", async () => {
    const parameters = { weighting: "softmax", temperature: 0.1 } as const;
    const fair = { temperature: 1, prior: "uniform" } as const;
    const contributions = micronats(0.2, 0.1, -0.1);
    const losses = nats(1, 2, 3);
    const half = await run({ ...parameters, fair: { kappa: 0.5, ...fair } }, contributions, { losses });
    assertWeights(half.weights, [(0.705385 + 0.090031) / 2, (0.259496 + 0.244728) / 2, (0.035119 + 0.665241) / 2]);
    const only = await run({ ...parameters, fair: { kappa: 1, ...fair } }, contributions, { losses });
    assertWeights(only.weights, [0.090031, 0.244728, 0.665241]);
    await assert.rejects(run({ ...parameters, fair: { kappa: 0, ...fair } }, contributions), { code: "LOSSES_SEALED" });
  });

  it("the audit comes first: contributions do not save an update far from the others", async () => {
    const rows = line(10, 11, 12, 13, 90_000);
    const contributions = micronats(0, 0, 0, 0, 5);
    const parameters = { weighting: "softmax", temperature: 1 } as const;
    const { keptAt, weights } = await run({ ...parameters, audit: { filter: "mad", k: 3 } }, contributions, { rows });
    assert.deepEqual(keptAt, [0, 1, 2, 3]);
    assert.deepEqual([...weights.subarray(0, 4)], [16_384, 16_384, 16_384, 16_384]);
    assert.equal((await run(parameters, contributions, { rows })).keptAt.length, 5);
  });
});
