// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FairFedParameters } from "../../src/aggregation/fairFed.ts";
import { assertWeights, line, nats, outcome } from "./run.ts";

const LOSS = { beta: 1, metric: "loss" } as const;
const run = (
  parameters: FairFedParameters,
  losses: readonly number[],
  memberState: readonly (number | undefined)[],
  samples?: readonly number[],
) =>
  outcome({ rule: "fairfed", parameters }, line(...losses.map((_, i) => i)), samples, undefined, {
    losses,
    facts: { memberState, accuracies: losses },
  });

describe("FairFed", () => {
  it("the example of the specification: gaps (.1, .3) from weights (.5, .5) give (.6, .4)", async () => {
    // Samples 3 : 1 put the global loss at a quarter of the way: .4 apart, gaps .1 and .3.
    const state = [2 ** 31, 2 ** 31];
    const { weights, memberState } = await run(LOSS, nats(1, 1.4), state, [3, 1]);
    assertWeights(weights, [0.6, 0.4]);
    for (const [i, expected] of [0.6, 0.4].entries())
      assert.ok(Math.abs((memberState?.[i] as number) / 2 ** 32 - expected) < 1e-4);
  });

  it("starts from shares of samples, and β = 0 stays there", async () => {
    const { weights } = await run({ beta: 0, metric: "accuracy" }, nats(0.2, 0.9), [undefined, undefined], [1, 3]);
    assert.deepEqual([...weights], [16_384, 49_152]);
  });

  it("remembers: a second round goes on from the first's state", async () => {
    const first = await run(LOSS, nats(1, 1.4), [2 ** 31, 2 ** 31], [3, 1]);
    const second = await run(LOSS, nats(1, 1.4), first.memberState as number[], [3, 1]);
    assertWeights(second.weights, [0.7, 0.3]);
  });

  it("who falls to 0 is not kept; where all do, all weigh the same", async () => {
    const low = await run(LOSS, nats(1, 1, 4), [2 ** 32, 2 ** 32, 0]);
    assert.deepEqual(low.keptAt, [0, 1]);
    const none = await run(LOSS, nats(1, 1), [-(2 ** 32), -(2 ** 31)]);
    assert.deepEqual([...none.weights], [32_768, 32_768]);
  });

  it("its state stays in the range of exact integers, however far losses lie apart", async () => {
    const { memberState } = await run(
      { beta: 1000, metric: "loss" },
      [0, 4_294_967_295, 0, 0],
      [undefined, undefined, 7, -7],
    );
    assert.ok(memberState?.every(Number.isSafeInteger));
  });

  it("refuses without the metric or a memory", async () => {
    const config = { rule: "fairfed", parameters: { beta: 1, metric: "accuracy" } } as const;
    await assert.rejects(outcome(config, line(1)), { code: "MISSING_FACT" });
    await assert.rejects(
      outcome(config, line(1), undefined, undefined, { facts: { accuracies: [65_537], memberState: [0] } }),
      {
        code: "BAD_INPUT",
      },
    );
    await assert.rejects(
      outcome(config, line(1), undefined, undefined, { facts: { accuracies: [1, 2], memberState: [0] } }),
      {
        code: "BAD_INPUT",
      },
    );
  });
});
