// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { CellRecord } from "../../../src/simulation/laboratory/cellRecord.ts";
import { assemble, type Federation } from "../../../src/simulation/laboratory/federation.ts";
import { runAsynchronously } from "../../../src/simulation/laboratory/runAsynchronously.ts";
import { simulateRound } from "../../../src/simulation/laboratory/simulateRound.ts";
import { ERROR_FEEDBACK } from "../../../src/update/residual.ts";
import { laboratory } from "./laboratory.ts";

const { cellOf, surroundings } = laboratory({
  members: 2,
  rounds: 100,
  data: { name: "s-mix", s: 1.2, samples: 100, testSamples: 20 },
  partition: { kind: "iid" },
  model: { kind: "logistic" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.2, momentum: 0 },
  update: { codec: { name: "topk-int16", keep: 20, blockSize: 64 } },
});

/** The model after round 1 and one more, with what members left unsaid in the first or without. */
async function modelAfter(round: number, change: Record<string, unknown>, remembers = true): Promise<Float64Array> {
  const federation = await assemble(cellOf(change).config as FederationConfig, 1, surroundings());
  await play(federation, 1);
  if (!remembers) for (const member of federation.members) member.residual = new Float64Array(federation.layout.size);
  await play(federation, round);
  return federation.master;
}

async function play(federation: Federation, round: number): Promise<void> {
  const { failed, kept } = await simulateRound(federation, round, surroundings().kernels);
  assert.deepEqual([failed, kept], [undefined, [1, 2]]);
}

test("members say later what they left unsaid, up to the age that nodes give it", async () => {
  const last = 1 + ERROR_FEEDBACK.maxAge;
  assert.notDeepEqual(await modelAfter(last, {}), await modelAfter(last, {}, false));
  assert.deepEqual(await modelAfter(last + 1, {}), await modelAfter(last + 1, {}, false));
});

test("without error feedback nothing is left over", async () => {
  const without = { update: { errorFeedback: false } };
  assert.deepEqual(await modelAfter(2, without), await modelAfter(2, {}, false));
  assert.notDeepEqual(await modelAfter(2, without), await modelAfter(2, {}));
});

test("in a schedule what is left unsaid ages with the model's versions and not with the tasks of all members", async () => {
  const rounds = 4;
  const change = { members: 20, rounds, schedule: { name: "sync" } };
  const headOf = async (remembers: boolean): Promise<Float64Array> => {
    const config = cellOf(change).config as FederationConfig;
    const federation = await assemble(config, 1, surroundings());
    const record = new CellRecord(federation, 0);
    await runAsynchronously(federation, config.schedule as NonNullable<typeof config.schedule>, record, {
      // By then there have been more tasks than any residual may be old.
      onRound(round) {
        assert.ok(round < rounds - 1 || round * 20 - round > ERROR_FEEDBACK.maxAge);
        if (round === rounds - 1 && !remembers)
          for (const member of federation.members) member.residual = new Float64Array(federation.layout.size);
      },
    });
    return federation.master;
  };
  assert.notDeepEqual(await headOf(true), await headOf(false));
});
