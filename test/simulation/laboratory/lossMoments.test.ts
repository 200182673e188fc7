// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { meanLoss } from "../../../src/learning/evaluate.ts";
import { powerOfTwo } from "../../../src/protocol/grid.ts";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { laboratory } from "./laboratory.ts";

const { cellOf, surroundings } = laboratory({
  members: 4,
  rounds: 4,
  data: { name: "s-mix", s: 0.45, samples: 400, testSamples: 20 },
  partition: { kind: "dirichlet", alpha: 0.1 },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
  aggregation: { rule: "uniform-mean" },
  update: { codec: { name: "int16", blockSize: 128 } },
});

test("after each round the state ends with the mean of the members' losses, and of their squares, of the model they received", async () => {
  const client = { name: "fedeba", modelAlpha: 0.1, switchAngle: 5 };
  const config = cellOf({ client }).config as FederationConfig;
  const federation = await assemble(config, 1, surroundings());
  const unit = powerOfTwo(-config.update.fractionBits - 16);
  const { model, members } = federation;
  for (let round = 1; round <= 4; round++) {
    const received = Float32Array.from(federation.master.subarray(0, model.parameterCount), (value) => value * unit);
    // In units of 4 nats, and none above one.
    const losses = await Promise.all(
      members.map(async ({ shard }) => Math.min((await meanLoss(model, received, shard)) / 4, 1)),
    );
    await simulateRound(federation, round, surroundings().kernels);
    const travelled = Array.from(federation.master.subarray(-2), (value) => value * unit);
    for (const [k, powers] of [losses, losses.map((loss) => loss * loss)].entries()) {
      const mean = powers.reduce((sum, value) => sum + value, 0) / members.length;
      assert.ok(Math.abs((travelled[k] as number) - mean) < 1e-3, `round ${round}: ${travelled[k]}, not ${mean}`);
    }
  }
});
