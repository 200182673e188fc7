// SPDX-License-Identifier: Apache-2.0
import { type Aggregate, aggregate } from "../../aggregation/aggregate.ts";
import { AggregationError } from "../../aggregation/aggregationError.ts";
import { masterInMemory } from "../../aggregation/masterInMemory.ts";
import { serverOptimiserInMemory } from "../../aggregation/serverOptimiserInMemory.ts";
import type { LocalOutcome } from "../../learning/algorithms/localAlgorithm.ts";
import { meanLoss } from "../../learning/evaluate.ts";
import { toHex, utf8 } from "../../protocol/bytes.ts";
import { splitMaster } from "../../protocol/grid.ts";
import { keccak256 } from "../../protocol/hash.ts";
import { lossOnGrid } from "../../protocol/lossOnGrid.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import { chunkInMemory } from "../../protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { checkPayload } from "../../update/checkPayload.ts";
import { type PreparedUpdate, prepareUpdate } from "../../update/prepareUpdate.ts";
import type { Federation, Member } from "./federation.ts";
import { lossIsNeeded } from "./needs.ts";

/** What a round did, for the record. */
export interface RoundFacts {
  readonly round: number;
  readonly invited: readonly Member[];
  /** Members whose update the rule kept. */
  readonly kept: readonly number[];
  /** Members whose update was refused, with the refusal's name. */
  readonly refused: readonly { readonly id: number; readonly reason: string }[];
  /** Why the round failed; the model then stays as it was. */
  readonly failed?: string;
  readonly uplinkBytes: number;
  /** Seconds of the members' own training. */
  readonly trainingSeconds: number;
}

/** One member's upload on its way to the validators. */
interface Upload {
  readonly member: Member;
  readonly samples: number;
  /** Loss of the received model, nats; only where the rule asks. */
  readonly loss: number;
  readonly prepared: PreparedUpdate;
  /** Adopted if the update is kept; undefined for attackers, who keep no account. */
  readonly outcome: LocalOutcome | undefined;
}

/**
 * One round: what nodes and validators do, with the same functions, in one process, minus chain and store. Training, attack, error feedback,
 * clipping, coding, verification of the coded bytes, the run's rule on the exact grid, and what members remember if they were kept.
 */
export async function simulateRound(federation: Federation, round: number, kernels: WideKernels): Promise<RoundFacts> {
  const { view } = splitMaster(federation.master, federation.layout);
  const invited = inviteMembers(federation, round);
  const started = performance.now();
  const trained = await train(federation, round, invited, view);
  const trainingSeconds = (performance.now() - started) / 1000;
  const uploads = await upload(federation, round, trained, view);
  const { accepted, refused } = await judge(federation, uploads);
  const facts = {
    round,
    invited,
    refused,
    trainingSeconds,
    uplinkBytes: sum(uploads.map(({ prepared }) => prepared.payload.length)),
  };
  try {
    const { kept } = await aggregateRound(federation, round, accepted, kernels);
    adopt(accepted, kept, round, federation.config.update.errorFeedback);
    return { ...facts, kept: accepted.filter((_, i) => kept[i]).map(({ member }) => member.id) };
  } catch (error) {
    // The rule's refusal is a result; anything else is a defect.
    if (!(error instanceof AggregationError)) throw error;
    return { ...facts, kept: [], failed: error.code };
  }
}

/** K = ⌈participation·N⌉ members, drawn anew each round, in ascending id. */
function inviteMembers({ members, config, random }: Federation, round: number): readonly Member[] {
  if (config.participation === 1) return members;
  const count = Math.max(1, Math.ceil(config.participation * members.length));
  const order = random.derive("cohort", round).permutation(members.length).slice(0, count);
  return order.sort((a, b) => a - b).map((at) => members[at] as Member);
}

interface Trained {
  readonly member: Member;
  readonly outcome: LocalOutcome;
}

async function train(
  { random, config }: Federation,
  round: number,
  invited: readonly Member[],
  state: Float32Array,
): Promise<readonly Trained[]> {
  const trained: Trained[] = [];
  for (const member of invited) {
    const outcome = await member.algorithm.train({
      round,
      state,
      shard: member.shard,
      random: random.derive("training", round, member.id),
      local: member.local,
      participation: config.participation,
    });
    trained.push({ member, outcome });
  }
  return trained;
}

/** What leaves each member: honest updates as a node prepares them, crafted ones in place of the attackers' own. */
async function upload(
  federation: Federation,
  round: number,
  trained: readonly Trained[],
  state: Float32Array,
): Promise<readonly Upload[]> {
  const { attackers, layout, bounds, config, master, model, previousMaster } = federation;
  const crafted = await attackers?.craft({
    round,
    trained: trained.map(({ member, outcome }) => ({ id: member.id, delta: outcome.delta })),
    state,
    previous: previousMaster === undefined ? undefined : splitMaster(previousMaster, layout).view,
    model,
  });
  const needsLoss = lossIsNeeded(config);
  const uploads: Upload[] = [];
  for (const { member, outcome } of trained) {
    const false_ = crafted?.get(member.id);
    const prepared = prepareUpdate({
      delta: false_?.delta ?? outcome.delta,
      residual: member.residual,
      master,
      layout,
      codec: config.update.codec,
      bounds,
    });
    const loss = needsLoss ? await meanLoss(model, state.subarray(0, model.parameterCount), member.shard) : 0;
    uploads.push({
      member,
      samples: Math.max(1, Math.floor(member.shard.size * (false_?.samplesFactor ?? 1))),
      loss: loss * (false_?.lossFactor ?? 1),
      prepared,
      outcome: false_ === undefined ? outcome : undefined,
    });
  }
  return uploads;
}

/** Verifies the coded bytes of every upload as a validator does. */
async function judge(
  { layout, bounds, config, master }: Federation,
  uploads: readonly Upload[],
): Promise<{ accepted: readonly Upload[]; refused: readonly { id: number; reason: string }[] }> {
  const accepted: Upload[] = [];
  const refused: { id: number; reason: string }[] = [];
  for (const one of uploads) {
    const { payload } = one.prepared;
    const { refusal } = await checkPayload(
      async function* () {
        yield payload;
      },
      { layout, codec: config.update.codec, bounds, master },
    );
    if (refusal === undefined) accepted.push(one);
    else refused.push({ id: one.member.id, reason: refusal.name });
  }
  return { accepted, refused };
}

async function aggregateRound(
  federation: Federation,
  round: number,
  accepted: readonly Upload[],
  kernels: WideKernels,
): Promise<Aggregate> {
  const { config, layout } = federation;
  const master = masterInMemory(federation.master);
  const optimiser = serverOptimiserInMemory(config, federation.serverState);
  const aggregated = await aggregate({
    updates: accepted.map(verifiedOf),
    reputations: accepted.map(({ member }) => member.reputation),
    alphaQ16: Math.floor(config.reputationMemory * REPUTATION_ONE),
    beacon: toHex(keccak256(utf8(`laboratory beacon ${federation.seed} ${round}`))),
    config: config.aggregation,
    layout,
    master,
    ...(optimiser === undefined ? {} : { serverOptimiser: optimiser.files }),
    kernels,
  });
  federation.previousMaster = federation.master;
  federation.master = master.after;
  federation.serverState = optimiser?.after ?? {};
  for (const [i, { member }] of accepted.entries()) member.reputation = aggregated.reputations[i] as number;
  return aggregated;
}

/** What verification makes of an upload: `judge` has looked at its bytes, and the decoded values are those every reader gets from them. */
function verifiedOf({ member, samples, loss, prepared }: Upload): VerifiedUpdate {
  return {
    kind: "update",
    memberId: member.id,
    artifactDigest: "0x",
    samples,
    sealChecked: true,
    opening: { loss: lossOnGrid(loss), salt: 0n },
    ...chunkInMemory({ kind: "dense", values: prepared.decoded }),
  } as unknown as VerifiedUpdate;
}

/** Residual and memory move on only with an update that was kept (design §4.2). */
function adopt(accepted: readonly Upload[], kept: readonly boolean[], round: number, errorFeedback: boolean): void {
  for (const [i, { member, prepared, outcome }] of accepted.entries()) {
    if (kept[i] !== true || outcome === undefined) continue;
    if (errorFeedback) member.residual = prepared.nextResidual;
    member.local = outcome.local;
    member.lastKept = round;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
