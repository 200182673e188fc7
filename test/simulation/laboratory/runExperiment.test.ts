// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openCpuKernels } from "../../../src/kernels/cpu/cpuKernels.ts";
import { createOnnxNodeEngine } from "../../../src/learning/engines/onnxNode.ts";
import type { LearningEngine } from "../../../src/learning/model.ts";
import { FoedusError } from "../../../src/protocol/errors.ts";
import type { WideKernels } from "../../../src/protocol/wideKernels.ts";
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";
import { type Cell, cellsOf, parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { runCell } from "../../../src/simulation/laboratory/runCell.ts";
import { runExperiment } from "../../../src/simulation/laboratory/runExperiment.ts";

let folder: string;
let engine: LearningEngine;
let kernels: WideKernels;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "foedus-laboratory-"));
  engine = await createOnnxNodeEngine({ threads: 1 });
  kernels = await openCpuKernels({ threads: 1 });
});
after(async () => {
  await engine.dispose();
  await kernels.close();
  await rm(folder, { recursive: true });
});

const base = {
  members: 8,
  rounds: 3,
  data: { name: "s-mix", s: 1.2, samples: 800, testSamples: 200 },
  partition: { kind: "iid" },
  localTest: 0.2,
  model: { kind: "mlp", hidden: [16], activation: "tanh" },
  training: { localEpochs: 1, batchSize: 20, learningRate: 0.3, momentum: 0 },
};
const experiment = (axes: Record<string, Record<string, unknown>>, seeds = [1]) =>
  parseExperiment({ name: "made-up", title: "Made up", seeds, base, axes }, "made-up.yaml");
const surroundings = () => ({ engine, kernels, dataRoot: folder });
const runOne = (change: Record<string, unknown>, without: readonly number[] = []): Promise<CellResult> =>
  runCell("made-up", cellsOf(experiment({ x: { one: change } }))[0] as Cell, { ...surroundings(), without });
/** Everything but how long it took. */
const lasting = ({ seconds: _, ...result }: CellResult) => result;

test("a cell run on a worker thread gives what it gives here, bit for bit, and again from the file", async () => {
  const both = experiment({ client: { fedavg: {}, scaffold: { client: { name: "scaffold" } } } }, [1, 2]);
  const options = { results: folder, dataRoot: folder, threads: 2 };
  const results = await runExperiment(both, options);
  assert.equal(results.length, 4);
  for (const [i, cell] of cellsOf(both).entries())
    assert.deepEqual(lasting(results[i] as CellResult), lasting(await runCell("made-up", cell, surroundings())));
  assert.equal(new Set(results.map(({ head }) => head)).size, 4, "other clients and seeds give other models");

  const told: number[] = [];
  const again = await runExperiment(both, { ...options, onProgress: ({ cellsFound }) => told.push(cellsFound) });
  assert.deepEqual(again, results, "nothing ran: the seconds are the same too");
  assert.deepEqual(told, [4]);
});

test("training learns, and traffic counts every upload", async () => {
  const { points, final, traffic, rounds, clients } = await runOne({ rounds: 8 });
  assert.equal(points.length, 9);
  assert.ok((final.accuracy as number) > (points[0]?.accuracy as number) + 0.3);
  assert.equal(clients.length, 8);
  assert.deepEqual(rounds, { finalised: 8, failed: 0, refused: 0, reason: null });
  // float32 of 16·64+16+10·16+10 parameters, and header, signature and digest, of eight members in eight rounds.
  assert.equal(traffic.denseUplinkBytes, 64 * (4 * 1210 + 128));
  assert.ok(traffic.uplinkBytes < 0.6 * traffic.denseUplinkBytes && traffic.uplinkBytes > 64 * 128);
});

test("an attack hurts the mean and not Multi-Krum, which accuses the attackers and nobody else", async () => {
  const attack = { name: "negation", count: 2, scale: 10 };
  const mean = await runOne({ rounds: 6, attack });
  const robust = await runOne({ rounds: 6, attack, aggregation: { rule: "multi-krum", parameters: { byzantine: 2 } } });
  assert.ok((robust.final.accuracy as number) > (mean.final.accuracy as number) + 0.2);
  assert.equal(mean.final.detectionRecall, 0);
  assert.equal(robust.final.detectionRecall, 1);
  assert.equal(robust.final.detectionFalsePositives, 0);
  assert.equal(robust.clients.length, 6, "attackers are not measured");
});

test("bytes that are no numbers are refused and count as caught", async () => {
  const { rounds, final } = await runOne({ attack: { name: "non-finite", count: 3 } });
  assert.deepEqual(rounds, { finalised: 3, failed: 0, refused: 9, reason: null });
  assert.equal(final.detectionRecall, 1);
});

test("a rule without enough updates fails the round, and the model stays", async () => {
  const { rounds, points } = await runOne({ members: 4, aggregation: { rule: "krum", parameters: { byzantine: 1 } } });
  assert.equal(rounds.reason, "TOO_FEW_UPDATES");
  assert.equal(rounds.failed, 3);
  assert.equal(points.at(-1)?.loss, points[0]?.loss);
});

test("training that diverges leaves its members out of the round; the cell goes on", async () => {
  const { rounds } = await runOne({
    model: { kind: "mlp", hidden: [16, 16, 16], activation: "relu" },
    training: { localEpochs: 5, learningRate: 100, momentum: 0.9 },
  });
  assert.equal(rounds.finalised + rounds.failed, 3);
  assert.ok(rounds.refused >= 1, `${rounds.refused} members diverged`);
});

test("a run without a member is the run in which it never was", async () => {
  const [whole, without] = [await runOne({}), await runOne({}, [3])];
  assert.notEqual(whole.head, without.head);
  assert.equal(without.clients.length, 7);
  assert.deepEqual(lasting(await runOne({}, [3])), lasting(without));
});

test("privacy: more noise, less ε, less accuracy", async () => {
  const privacy = (noiseMultiplier: number) => ({
    rounds: 6,
    aggregation: { rule: "uniform-mean" },
    privacy: {
      mode: "central",
      clipNorm: 1,
      noiseMultiplier,
      budget: { epsilon: 1000, delta: 1e-5 },
      errorFeedback: false,
    },
  });
  const [little, much] = [await runOne(privacy(0.1)), await runOne(privacy(5))];
  assert.ok((little.final.epsilon as number) > (much.final.epsilon as number));
  assert.ok((little.final.accuracy as number) > (much.final.accuracy as number) + 0.1);
});

test("privacy of records trains with clipped gradients of single samples, and says what it cost", async () => {
  const { final, rounds, points } = await runOne({
    rounds: 4,
    privacy: {
      mode: "record",
      clipNorm: 2,
      noiseMultiplier: 0.3,
      budget: { epsilon: 1000, delta: 1e-5 },
      loss: { clip: 5, noiseMultiplier: 1 },
    },
  });
  assert.equal(rounds.finalised, 4);
  assert.ok((final.epsilon as number) > 0);
  assert.ok((final.loss as number) < (points[0]?.loss as number));
});

test("a downlink may be compressed as well: the model moves by what was sent, and the bytes say so", async () => {
  const codec = { name: "topk-int16", blockSize: 128, keep: 200 };
  const [whole, both] = [await runOne({ rounds: 8 }), await runOne({ rounds: 8, update: { codec, downlink: codec } })];
  assert.ok(both.traffic.downlinkBytes < 0.3 * whole.traffic.downlinkBytes);
  assert.ok((both.final.accuracy as number) > (both.points[0]?.accuracy as number) + 0.2);
});

test("LoRA's products travel as factors: the same model up to rounding, for a fraction of the bytes", async () => {
  const stack = { rounds: 6, client: { name: "lora", mode: "stack", rank: 4 } };
  const [dense, factors] = [
    await runOne(stack),
    await runOne({ ...stack, update: { codec: { name: "low-rank", rank: 4 } } }),
  ];
  assert.ok(
    factors.traffic.uplinkBytes < 0.7 * dense.traffic.uplinkBytes,
    `${factors.traffic.uplinkBytes} of ${dense.traffic.uplinkBytes}`,
  );
  assert.ok(Math.abs((factors.final.loss as number) - (dense.final.loss as number)) < 1e-3);
});

test("LoRA's factors are measured as the model they make, and personal models of a strategy as the members'", async () => {
  const naive = await runOne({ rounds: 6, client: { name: "lora", mode: "naive", rank: 4 } });
  assert.ok((naive.final.accuracy as number) > (naive.points[0]?.accuracy as number) + 0.05);
  const personal = { server: { name: "pfedgpa", minVectors: 8, components: 4, training: { steps: 5 } } };
  const [plain, own] = [await runOne({ rounds: 4 }), await runOne({ rounds: 4, ...personal })];
  assert.equal(plain.head, own.head, "the global model is the rule's");
  assert.notDeepEqual(plain.clients, own.clients, "and members have their own");
});

test("resource tiers: fast members do more than slow ones, and all take part", async () => {
  const { rounds } = await runOne({ client: { name: "hmsdfl", tiers: {} }, resources: [5, 3, 1.5, 0.5] });
  assert.deepEqual(rounds, { finalised: 3, failed: 0, refused: 0, reason: null });
});

test("partial work: members that manage less than a round send what they have, and change the run", async () => {
  const client = { name: "fedprox", mu: 0.1, partialWork: true };
  const training = { localEpochs: 3, learningRate: 0.05, momentum: 0 };
  const [slow, fast, whole] = await Promise.all([
    runOne({ client, training, resources: [1, 0.5, 0.01] }),
    runOne({ client, training, resources: [1, 2, 30] }),
    runOne({ client: { ...client, partialWork: false }, training }),
  ]);
  assert.deepEqual(slow.rounds, { finalised: 3, failed: 0, refused: 0, reason: null });
  assert.notEqual(slow.head, whole.head);
  assert.equal(fast.head, whole.head);
});

test("a private round that fails is spent all the same", async () => {
  const { final, rounds } = await runOne({
    members: 6,
    aggregation: { rule: "multi-krum", parameters: { byzantine: 1 } },
    attack: { name: "non-finite", count: 2 },
    privacy: {
      mode: "local",
      clipNorm: 1,
      noiseMultiplier: 1,
      budget: { epsilon: 1000, delta: 1e-5 },
      loss: { clip: 5, noiseMultiplier: 1 },
      pipeline: { name: "P2", errorFeedback: false },
    },
  });
  assert.equal(rounds.failed, 3);
  assert.ok((final.epsilon as number) > 1);
});

test("results are named by the experiment as it is now, and figures that are no number are left out", async () => {
  const options = { results: folder, dataRoot: folder, threads: 1 };
  const named = (choice: string) => ({ ...experiment({ client: { [choice]: {} } }), name: "renamed" });
  const [first] = await runExperiment(named("before"), options);
  const [second] = await runExperiment(named("after"), options);
  assert.deepEqual(first?.labels, { client: "before" });
  assert.deepEqual(second, { ...first, labels: { client: "after" } });
});

test("a server strategy moves the model, and its samples are not the members'", async () => {
  const { final, head } = await runOne({ server: { name: "feddf", steps: 5 }, serverData: { samples: 50 } });
  assert.ok((final.accuracy as number) > 0.1);
  assert.notEqual(head, (await runOne({ serverData: { samples: 50 } })).head);
  await assert.rejects(runOne({ server: { name: "feddf", steps: 5 } }), /needs unlabelled samples/);
});

test("a cell that cannot run is named, and what ended before it is kept", async () => {
  const broken = experiment({ data: { here: {}, missing: { data: { name: "mnist" } } } });
  await assert.rejects(
    runExperiment({ ...broken, name: "broken" }, { results: folder, dataRoot: folder, threads: 1 }),
    (error: unknown) =>
      error instanceof FoedusError && error.code === "CELL_FAILED" && /data missing, seed 1/.test(error.message),
  );
  const kept = await runExperiment(
    { ...experiment({ data: { here: {} } }), name: "broken" },
    {
      results: folder,
      dataRoot: folder,
      threads: 1,
      onProgress: ({ cellsFound, cells }) => assert.equal(cellsFound, cells),
    },
  );
  assert.equal(kept.length, 1);
});
