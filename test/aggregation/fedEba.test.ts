// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FedEbaParameters, lossesInNats } from "../../src/aggregation/fedEba.ts";
import { assertWeights, line, nats, outcome } from "./run.ts";

const run = (parameters: FedEbaParameters, losses: readonly number[], samples?: readonly number[]) =>
  outcome({ rule: "fedeba", parameters }, line(...losses.map((_, i) => i + 1)), samples, undefined, { losses });
const UNIFORM = { temperature: 1, prior: "uniform" } as const;

describe("FedEBA", () => {
  it("the examples of the specification: losses (1, 2, 3)", async () => {
    const losses = nats(1, 2, 3);
    assertWeights((await run(UNIFORM, losses)).weights, [0.090031, 0.244728, 0.665241]);
    assertWeights((await run({ ...UNIFORM, temperature: 0.5 }, losses)).weights, [0.015876, 0.11731, 0.866813]);
    const prior = await run({ temperature: 1, prior: "samples" }, losses, [5, 3, 2]);
    assertWeights(prior.weights, [0.179, 0.291944, 0.529056]);
  });

  it("equal losses, all 0 too, give the prior", async () => {
    assert.deepEqual([...(await run(UNIFORM, [0, 0, 0, 0])).weights], [16_384, 16_384, 16_384, 16_384]);
    const losses = nats(7, 7);
    assert.deepEqual(
      [...(await run({ temperature: 0.1, prior: "samples" }, losses, [1, 3])).weights],
      [16_384, 49_152],
    );
  });

  it("a high temperature is the mean, 0 the worst members alone, who share by their prior", async () => {
    assertWeights((await run({ ...UNIFORM, temperature: 1000 }, nats(0, 3))).weights, [0.49925, 0.50075]);
    const worst = await run({ temperature: 0, prior: "samples" }, nats(1, 3, 3), [9, 1, 3]);
    assert.deepEqual([...worst.weights], [0, 16_384, 49_152]);
    assert.deepEqual(worst.keptAt, [1, 2]);
    // What exp makes 0 is 0, and not kept, at any temperature.
    assert.deepEqual((await run({ ...UNIFORM, temperature: 1e-3 }, nats(0, 5))).keptAt, [1]);
  });

  it("the largest loss that can be reported overflows nothing, and clipping takes its gain away", async () => {
    const losses = [...nats(1, 2, 3), 4_294_967_295];
    assert.deepEqual((await run(UNIFORM, losses)).keptAt, [3]);
    // Median 2.5, deviations (1.5, .5, .5, huge): MAD 1, limit 5.5.
    const e = [1, 2, 3, 5.5].map(Math.exp);
    const sum = e.reduce((total, one) => total + one, 0);
    assertWeights(
      (await run({ ...UNIFORM, capMads: 3 }, losses)).weights,
      e.map((one) => one / sum),
    );
    assert.deepEqual([...lossesInNats(losses, 3)], [1, 2, 3, 5.5]);
  });

  it("refuses where a loss is sealed, and says whose", async () => {
    await assert.rejects(outcome({ rule: "fedeba", parameters: UNIFORM }, line(1, 2)), {
      code: "LOSSES_SEALED",
      values: { rule: "fedeba", memberId: 3 },
    });
  });
});
