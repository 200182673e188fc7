// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { dataSchema, loadData, partition, partitionSchema } from "../../data/dataConfig.ts";
import { accuracy } from "../../learning/evaluate.ts";
import type { Model } from "../../learning/model.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import { keyedRandom } from "../../protocol/random.ts";
import { hashedGroups } from "../../round/serverLearning/flCert/groups.ts";
import { type EvidenceInput, type Examined, evidenceOf, type UnlearningEvidence } from "../unlearning/evidence.ts";
import { forgetByReplay, trainWithout } from "../unlearning/exactReplay.ts";
import { accuracyOf } from "../unlearning/examine.ts";
import { fedEraser } from "../unlearning/fedEraser.ts";
import { sampleLosses } from "../unlearning/membershipInference.ts";
import { type ModelRun, type ModelRunInput, recordModelRun } from "../unlearning/modelRun.ts";
import { forgetByRecomputing } from "../unlearning/recompute.ts";
import type { Head } from "../unlearning/replayableRun.ts";
import { forgetInShard } from "../unlearning/shards.ts";
import type { Study } from "./study.ts";

export const unlearningSchema = z.strictObject({
  name: z.literal("unlearning"),
  data: dataSchema.prefault({ name: "s-mix", samples: 400, testSamples: 400, s: 0.45 }),
  partition: partitionSchema.prefault({ kind: "dirichlet", alpha: 0.5 }),
  members: z.int().min(3).max(100).default(8),
  /** K, drawn anew each round. */
  cohort: z.int().min(2).max(100).default(6),
  rounds: z.int().min(2).max(1_000).default(12),
  /** Number of the member that is forgotten. */
  member: z.int().min(1).max(100).default(1),
  hidden: z.int().min(1).max(4_096).default(64),
  training: z
    .strictObject({
      localEpochs: z.int().min(1).max(100).default(4),
      batchSize: z.int().min(1).max(1_024).default(10),
      learningRate: z.number().positive().max(10).default(0.1),
    })
    .prefault({}),
  /** FedEraser's Δt and r. */
  keepEvery: z.int().min(1).max(100).default(2),
  effort: z.number().gt(0).max(1).default(0.5),
  /** N_g: groups with a model each, for replay in one of them alone. */
  groups: z.int().min(2).max(100).default(2),
});

/**
 * Forgetting a member in four ways (spec I1–I4): the evidence of each as figures, and how far the model is from training without the member when
 * nothing is done (`distanceBefore`). The member's samples are told from test samples, which nobody trained on, class by class. In groups
 * the member's samples are looked for in its own group's model, and accuracy is that of the groups' vote.
 */
export const unlearning: Study<z.output<typeof unlearningSchema>> = async (options, seed, surroundings) => {
  const { member, rounds, cohort, keepEvery, effort } = options;
  const random = keyedRandom("foedus.study.unlearning", seed);
  const data = await loadData(options.data, { root: surroundings.dataRoot, seed: `unlearning ${seed}` });
  const shards = partition(data, options.members, options.partition, random.derive("partition"));
  const { inputs, classes } = data.train;
  const model = await surroundings.engine.load({
    kind: "mlp",
    inputs,
    hidden: [options.hidden],
    classes,
    activation: "relu",
  });
  const plan = { ...options.training, momentum: 0 };
  const input = { model, plan, shards, rounds, cohort, random, kernels: surroundings.kernels };
  const run = await recordModelRun(input);

  const old = run.heads[rounds] as Head;
  const examine = (head: Examined["head"]) => examined(model, head, shards[member - 1] as Dataset, data.test);
  const before = await examine(old);
  const retrained = await trainWithout(run, member);
  const evidence = async (method: EvidenceInput["method"], head: Examined["head"]) =>
    evidenceOf({ method, member, before, after: await examine(head), retrained });

  const replay = await forgetByReplay(run, member);
  const recomputed = await forgetByRecomputing(run.initialMaster, run.stored, member, run.advance);
  const erased = await fedEraser((run.heads[0] as Head).state, run.kept, member, run.calibrate, {
    layers: model.layout,
    keepEvery,
    effort,
    calibrate: "client",
  });
  return {
    ...figures("replay", await evidence("replay", replay.head)),
    replayRounds: replay.record.replayed,
    replayExact: replay.head.digest === retrained.digest ? 1 : 0,
    ...figures("recompute", await evidence("recompute", run.headOf(rounds, recomputed))),
    ...figures("eraser", await evidence("fed-eraser", { digest: "", state: Float32Array.from(erased) })),
    ...(await inGroups(options, input, examine, data.test)),
    distanceBefore: (await evidence("replay", old)).distanceToRetrained as number,
    aurocBefore: (await evidence("replay", old)).membership.before,
    accuracyBefore: before.accuracy,
  };
};

/** The same members in groups with a model each (FLCert-D), of which the member's alone is run again (spec I4). */
async function inGroups(
  { member, rounds, groups }: z.output<typeof unlearningSchema>,
  input: ModelRunInput,
  examine: (head: Examined["head"]) => Promise<Examined>,
  test: Dataset,
) {
  const { model, shards } = input;
  const runs: ModelRun[] = [];
  for (const members of hashedGroups(
    shards.map((_, i) => i + 1),
    groups,
  ))
    runs.push(await recordModelRun({ ...input, members }));
  const { group, head, cost } = await forgetInShard(runs, member);
  const own = runs[group] as ModelRun;
  const last = ({ heads }: ModelRun): Head => heads[rounds] as Head;
  const before = await examine(last(own));
  const retrained = await trainWithout(own, member);
  const evidence = evidenceOf({ method: "shards", member, before, after: await examine(head), retrained });
  const voters = runs.map((run, g) => ({ model, parameters: (g === group ? head : last(run)).state }));
  return {
    ...figures("sharded", evidence),
    shardedAccuracy: await accuracyOf(voters, test),
    shardedExact: evidence.equalsRetrained === true ? 1 : 0,
    shardedCost: cost,
    shardedAurocBefore: evidence.membership.before,
  };
}

async function examined(model: Model, head: Examined["head"], shard: Dataset, test: Dataset): Promise<Examined> {
  return {
    head,
    memberLosses: await sampleLosses(model, head.state, shard),
    heldOutLosses: await sampleLosses(model, head.state, test),
    labels: { member: shard.labels, heldOut: test.labels },
    accuracy: await accuracy(model, head.state, test),
  };
}

function figures(method: string, { membership, accuracy: measured, distanceToRetrained }: UnlearningEvidence) {
  return {
    [`${method}Auroc`]: membership.after,
    [`${method}Accuracy`]: measured.after,
    [`${method}Distance`]: distanceToRetrained as number,
  };
}
