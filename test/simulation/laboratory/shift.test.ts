// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { attackLearner } from "../../../src/simulation/attacks/attackLearner.ts";
import type { FederationConfig } from "../../../src/simulation/laboratory/cellConfig.ts";
import { assemble } from "../../../src/simulation/laboratory/federation.ts";
import { lastRoundBefore, shiftAfter } from "../../../src/simulation/laboratory/shift.ts";
import { laboratory } from "./laboratory.ts";

const base = {
  members: 4,
  rounds: 4,
  data: { name: "s-iot", samples: 400, testSamples: 200, clients: 4, steps: 16, shift: 3 },
  partition: { kind: "natural" },
  serverData: { validation: 20 },
  localTest: 0.2,
  model: { kind: "mlp", hidden: [8], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.1, momentum: 0 },
  shift: {},
};
const { cellOf, run, surroundings } = laboratory(base);

test("members keep their devices, and their shards, own tests and the test set change once, after half the rounds", async () => {
  const config = cellOf({}).config as FederationConfig;
  assert.equal(lastRoundBefore(config), 2);
  const federation = await assemble(config, 1, surroundings());
  const [testSet, shards] = [federation.test, federation.members.map(({ shard }) => shard)];
  let measured = 0;
  const measure = async () => ({ n: measured++ });
  assert.deepEqual(await shiftAfter(1, [federation], measure), {});
  assert.equal(federation.test, testSet);
  assert.deepEqual(await shiftAfter(2, [federation], measure), { nBefore: 0, nShifted: 1 });
  assert.notEqual(federation.test, testSet);
  assert.equal(federation.test.size, testSet.size);
  for (const [i, { shard, test: own }] of federation.members.entries()) {
    assert.notDeepEqual(shard.features, shards[i]?.features);
    assert.equal(shard.size, shards[i]?.size);
    assert.ok((own?.size ?? 0) > 0);
  }
  assert.deepEqual(await shiftAfter(3, [federation], measure), {});
});

test("who attacks with a model of its own goes on with the samples that it has then", async () => {
  const change = { attack: { name: "jaa", count: 1 } };
  const federation = await assemble(cellOf(change).config as FederationConfig, 1, surroundings());
  const attacker = federation.members.find(({ id }) => federation.attackers?.ids.has(id));
  const state = new Float32Array(federation.model.parameterCount).fill(0.1);
  const before = await federation.attackLearner?.loss(state);
  await shiftAfter(2, [federation], async () => ({}));
  const after = await federation.attackLearner?.loss(state);
  assert.notEqual(after?.loss, before?.loss);
  assert.ok(attacker !== undefined);
  assert.deepEqual(after, await attackLearner(federation.model, attacker.shard).loss(state));
});

test("what is measured before the shift is the steady run's, then the same model loses, and the run goes on", async () => {
  const [shifted, steady, short] = [
    await run({ evaluate: { ranking: true } }),
    await run({ shift: null, evaluate: { ranking: true } }),
    await run({ shift: null, rounds: 2, evaluate: { ranking: true } }),
  ];
  assert.deepEqual(shifted.points.slice(0, 3), steady.points.slice(0, 3));
  assert.equal(shifted.figures.accuracyBefore, steady.points[2]?.accuracy);
  assert.equal(shifted.figures.detectionAtFpr5Before, short.figures.detectionAtFpr5);
  assert.notEqual(shifted.figures.aurocShifted, shifted.figures.aurocBefore);
  assert.notEqual(shifted.head, steady.head);
  assert.equal(steady.figures.accuracyBefore, undefined);
});

test("a schedule and an ensemble change their data too, and repeat it", async () => {
  for (const change of [
    { schedule: { name: "fedbuff", buffer: 2 }, rounds: 6 },
    { server: { name: "flcert-d", groups: 2, assignment: "balanced" } },
  ]) {
    const one = await run(change);
    assert.ok(Number.isFinite(one.figures.accuracyShifted), JSON.stringify(one.figures));
    assert.deepEqual((await run(change)).figures, one.figures);
    assert.notEqual(one.head, (await run({ ...change, shift: null })).head);
  }
});

test("refused: data that do not change, a change before the first round, privacy of records", () => {
  for (const [change, why] of [
    [{ data: { name: "s-mix" }, partition: { kind: "iid" } }, /only s-iot/],
    [{ data: { shift: 0 } }, /data\.shift/],
    [{ rounds: 1 }, /before the first round/],
    [
      {
        privacy: {
          mode: "record",
          clipNorm: 1,
          noiseMultiplier: 1,
          budget: { epsilon: 100, delta: 1e-5 },
          loss: { clip: 5, noiseMultiplier: 1 },
        },
      },
      /leave shift out/,
    ],
  ] as const)
    assert.throws(() => cellOf(change), why);
});
