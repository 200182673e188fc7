// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QFedAvgParameters } from "../../src/aggregation/qFedAvg.ts";
import { assertWeights, line, nats, outcome } from "./run.ts";

const run = (parameters: QFedAvgParameters, rows: readonly number[][], losses: readonly number[]) =>
  outcome({ rule: "q-fedavg", parameters }, rows, undefined, undefined, { losses });
/** A step of 1 on the grid 2^-18. */
const ONE = 262_144;

describe("q-FedAvg", () => {
  it("the example of the specification: h = (11, 44), and a step of −9/55", async () => {
    const rows = line(-0.1 * ONE, -0.2 * ONE).map((row) => row.map(Math.floor));
    const { weights, moved } = await run({ q: 1, learningRate: 0.1 }, rows, nats(1, 4));
    assertWeights(weights, [10 / 55, 40 / 55]);
    assert.ok(Math.abs((moved[0] as number) / ONE + 9 / 55) < 1e-5);
  });

  it("q = 0 is the uniform mean, whatever losses and norms are", async () => {
    const { weights } = await run({ q: 0, learningRate: 0.5 }, line(1, 9_000_000, -4, 0), nats(0, 1, 2, 300));
    assert.deepEqual([...weights], [16_384, 16_384, 16_384, 16_384]);
  });

  it("never spends more than the whole weight, and the less the longer updates are", async () => {
    const sums: number[] = [];
    for (const far of [0, 1, 10, 60]) {
      const { weights } = await run({ q: 2, learningRate: 0.1 }, line(far * ONE, -far * ONE), nats(1, 2));
      sums.push(weights.reduce((sum, weight) => sum + weight, 0));
    }
    assert.equal(sums[0], 65_536);
    assert.deepEqual(
      sums,
      [...sums].sort((a, b) => b - a),
    );
    assert.ok((sums[3] as number) < 100);
  });

  it("losses of 0 are finite: q below 1, at 1 and above", async () => {
    for (const q of [0.1, 1, 5]) {
      const { weights } = await run({ q, learningRate: 0.1 }, line(5, 7, 0), [0, 0, 0]);
      assert.ok(weights.every((weight) => weight > 0));
    }
  });

  it("a liar about a loss of 0 stalls a round with q < 1, as the rule's header says", async () => {
    const { weights } = await run({ q: 0.1, learningRate: 0.1 }, line(ONE, ONE, ONE), [...nats(2, 2), 0]);
    assert.ok(weights.reduce((sum, weight) => sum + weight, 0) < 10);
  });

  it("clips losses to median + k·MAD", async () => {
    const one = await run({ q: 1, learningRate: 1, capMads: 1 }, line(0, 0, 0), nats(1, 2, 900));
    assertWeights(one.weights, [1 / 6, 2 / 6, 3 / 6]);
  });
});
