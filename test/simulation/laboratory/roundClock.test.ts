// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { clockOf } from "../../../src/simulation/laboratory/roundClock.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { laboratory } from "./laboratory.ts";

const BANDWIDTH = 1_000;
const { cellOf, surroundings } = laboratory({
  members: 2,
  rounds: 4,
  data: { name: "s-mix", s: 1.2, samples: 100, testSamples: 20 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
  update: { downlink: { name: "topk-int16", keep: 20, blockSize: 64 } },
  servers: {
    candidates: [{ name: "a", bandwidth: BANDWIDTH, roundTripSeconds: 0, aggregationSeconds: 0 }],
    choose: { name: "fixed", server: "a" },
    pathSpread: 0,
    pathJitter: 0,
    speeds: [1],
    jitter: 0,
  },
});
/** Keeps nobody, so that every round fails. */
const FAILING = { aggregation: { rule: "byzfed", parameters: { filter: "tau", tau: 0.001, sizeWeighted: false } } };

test("a round is charged the download that it begins with: the state, then movements, and nothing after a failed round", async () => {
  const sound = cellOf({}).config as FederationConfig;
  const failing = cellOf(FAILING).config as FederationConfig;
  const federation = await assemble(sound, 1, surroundings());
  const clock = clockOf(federation);
  assert.ok(clock !== undefined);
  const downloaded = async (round: number, config = sound) => {
    Object.assign(federation, { config });
    const [begun, facts] = [clock.time, await simulateRound(federation, round, surroundings().kernels)];
    assert.equal(facts.failed === undefined, config === sound, facts.failed);
    clock.round(facts);
    const up = Math.max(...(facts.sentBytes?.values() ?? []));
    return Math.round((clock.time - begun - 1) * BANDWIDTH - up) + 0;
  };
  assert.equal(await downloaded(1), 4 * federation.layout.size);
  const lastSent = () => federation.downlink?.history.kept.at(-1)?.payload.length as number;
  const movement = lastSent();
  assert.ok(movement > 0 && movement < 4 * federation.layout.size);
  assert.equal(await downloaded(2, failing), movement);
  assert.equal(await downloaded(3), 0);
  const next = lastSent();
  assert.equal(await downloaded(4), next);
});
