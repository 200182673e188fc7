// SPDX-License-Identifier: Apache-2.0
import { AggregationError } from "../../aggregation/aggregationError.ts";
import { needsOf } from "../../aggregation/needsOf.ts";
import type { LocalOutcome } from "../../learning/algorithms/localAlgorithm.ts";
import { LearningError } from "../../learning/errors.ts";
import { accuracy, meanLoss } from "../../learning/evaluate.ts";
import { DecodeError } from "../../protocol/errors.ts";
import { splitMaster } from "../../protocol/grid.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { checkPayload } from "../../update/checkPayload.ts";
import { prepareUpdate } from "../../update/prepareUpdate.ts";
import { agedResidual } from "../../update/residual.ts";
import { aggregateRound } from "./aggregateRound.ts";
import { cohortSize } from "./cellConfig.ts";
import type { ScoredRound } from "./contributions.ts";
import { type Delivery, deliverModel } from "./deliverModel.ts";
import type { Federation, Member } from "./federation.ts";

/** What a round did, for the record. */
export interface RoundFacts {
  readonly round: number;
  readonly invited: readonly Member[];
  /** Members whose update the rule kept. */
  readonly kept: readonly number[];
  /** Members whose update was refused, with the refusal's name, or whose training diverged. */
  readonly refused: readonly Refused[];
  /** Members that sent nothing because their training diverged. */
  readonly diverged: ReadonlySet<number>;
  /** Members that attacked. */
  readonly attacked: ReadonlySet<number>;
  /** Why the round failed; the model then stays as it was. */
  readonly failed?: string;
  /** Payload of each member that sent something, bytes; left out where others count them. */
  readonly sentBytes?: ReadonlyMap<number, number>;
  /** What each invited member was sent before it trained, where downlinks are compressed; elsewhere it was the whole model. */
  readonly delivered?: ReadonlyMap<number, Delivery> | undefined;
  /** Seconds of the members' own training. */
  readonly trainingSeconds: number;
  /** Contributions by member, where the cell scores. */
  readonly scored?: ScoredRound;
}

/** Why a member's update did not come to be aggregated. */
export interface Refused {
  readonly id: number;
  readonly reason: string;
}

/** What a member has trained. */
export interface Trained {
  readonly member: Member;
  readonly outcome: LocalOutcome;
}

/** One member's upload on its way to the validators. */
export interface Upload {
  readonly member: Member;
  readonly samples: number;
  /** Loss of the received model on the member's shard as it says, nats, and its accuracy there; 0 where the rule does not ask. */
  readonly loss: number;
  readonly accuracy: number;
  /** Rounds between the model that it was trained from and the head. */
  readonly staleness: number;
  readonly prepared: ReturnType<typeof prepareUpdate>;
  /** Whether the payload's bytes were made up. */
  readonly forged: boolean;
  /** What the member remembers if it is kept; undefined for what an attacker made up. */
  readonly outcome: LocalOutcome | undefined;
}

/**
 * One round: what nodes and validators do, with the same functions, in one process, minus chain and store. Training, attack, error feedback,
 * clipping, coding, verification of the coded bytes, the run's rule on the exact grid, and what members remember if they were kept.
 *
 * @param onAccepted is shown the uploads that the rule decides from, before it does.
 */
export async function simulateRound(
  federation: Federation,
  round: number,
  kernels: WideKernels,
  onAccepted?: (accepted: readonly Upload[]) => void,
): Promise<RoundFacts> {
  const { view } = splitMaster(federation.master, federation.layout);
  const invited = inviteMembers(federation, round);
  const delivered = deliverModel(federation, invited, view);
  const started = performance.now();
  const { trained, leftOut } = await train(federation, round, invited, view);
  const trainingSeconds = (performance.now() - started) / 1000;
  const uploads = await prepareUploads(federation, round, trained, view);
  const { accepted, refused } = await judge(federation, round, uploads);
  const facts = {
    round,
    invited,
    refused: [...leftOut, ...refused],
    diverged: new Set(leftOut.map(({ id }) => id)),
    attacked: new Set(invited.map(({ id }) => id).filter((id) => federation.attackers?.acts(id, round))),
    delivered,
    trainingSeconds,
    sentBytes: new Map(uploads.map(({ member, prepared }) => [member.id, prepared.payload.length])),
  };
  onAccepted?.(accepted);
  // What has left the members is spent, whatever becomes of the round.
  federation.privacy?.book(round, uploads.length);
  federation.records?.book();
  try {
    const { kept, scored } = await aggregateRound(federation, round, accepted, kernels);
    adopt(accepted, kept, round, federation.config.update.errorFeedback);
    return {
      ...facts,
      kept: accepted.filter((_, i) => kept[i]).map(({ member }) => member.id),
      ...(scored === undefined ? {} : { scored: { members: accepted.map(({ member }) => member.id), ...scored } }),
    };
  } catch (error) {
    // The rule's refusal is a result; anything else is a defect.
    if (!(error instanceof AggregationError)) throw error;
    return { ...facts, kept: [], failed: error.code };
  }
}

/**
 * K = ⌈participation·N⌉ members, drawn anew each round, in ascending id; or each with its own probability, where privacy counts on it. Drawn among all ids, also those
 * of members that are left out of this run: without one of them every cohort is what it was, less that one.
 */
function inviteMembers({ members, config, random }: Federation, round: number): readonly Member[] {
  const draw = random.derive("cohort", round);
  const ids = Array.from({ length: config.members }, (_, i) => i + 1);
  const sampling = config.privacy !== undefined && "sampling" in config.privacy ? config.privacy.sampling : undefined;
  if (sampling?.kind === "poisson") {
    const invited = new Set(ids.filter(() => draw.uniform() < sampling.rate));
    return members.filter(({ id }) => invited.has(id));
  }
  if (config.participation === 1) return members;
  const count = cohortSize(config);
  const invited = new Set(draw.shuffled(ids).slice(0, count));
  return members.filter(({ id }) => invited.has(id));
}

async function train(
  { random, config }: Federation,
  round: number,
  invited: readonly Member[],
  state: Float32Array,
): Promise<{ trained: readonly Trained[]; leftOut: readonly Refused[] }> {
  const trained: Trained[] = [];
  const leftOut: Refused[] = [];
  const isPrivate = config.privacy !== undefined && config.privacy.mode !== "none";
  for (const member of invited) {
    try {
      const outcome = await member.algorithm.train({
        round,
        state,
        shard: member.shard,
        random: random.derive("training", round, member.id),
        local: member.local,
        participation: cohortSize(config) / config.members,
        resource: resourceOf(config, member.id),
      });
      trained.push({ member, outcome });
    } catch (error) {
      if (!(error instanceof LearningError && error.code === "DIVERGED")) throw error;
      // A node leaves the round out in which its training diverges; in private runs, where absence would tell, it sends noise alone.
      if (isPrivate) {
        trained.push({
          member,
          outcome: { delta: new Float32Array(state.length), trainLoss: Number.NaN, local: member.local },
        });
        continue;
      }
      leftOut.push({ id: member.id, reason: error.code });
    }
  }
  return { trained, leftOut };
}

/**
 * What leaves each member: honest updates as a node prepares them, crafted ones in place of the attackers' own.
 *
 * @param round names random streams.
 * @param version of the model that an update is for, as `lastKept` counts; it differs from `round` where there are no rounds.
 */
export async function prepareUploads(
  federation: Federation,
  round: number,
  trained: readonly Trained[],
  state: Float32Array,
  version = round,
): Promise<readonly Upload[]> {
  const { attackers, layout, bounds, config, master, model, previousMaster, privacy, random } = federation;
  const crafted = await attackers?.craft({
    round,
    trained: trained.map(({ member, outcome }) => ({ id: member.id, delta: outcome.delta })),
    received: state,
    previous: previousMaster === undefined ? undefined : splitMaster(previousMaster, layout).view,
    rule: config.aggregation,
    learner: federation.attackLearner,
    symmetry: federation.symmetry,
  });
  const needs = needsOf(config.aggregation);
  const needsLoss = needs.losses === true || config.server?.name === "fedmcon";
  const received = state.subarray(0, model.parameterCount);
  const uploads: Upload[] = [];
  for (const { member, outcome } of trained) {
    const lie = crafted?.get(member.id);
    const prepared = prepareUpdate({
      delta: lie ?? outcome.delta,
      silent: lie === undefined ? outcome.silent : undefined,
      residual: agedResidual(member.residual, version - member.lastKept),
      master,
      layout,
      codec: config.update.codec,
      bounds,
      place: placeOf(round),
      random: random.derive("rounding", round, member.id),
      noise: privacy?.stage(round, member.id, trained.length),
    });
    const { shard, id } = member;
    // A node always reports its loss; here it costs a pass over the shard, so only where something depends on it.
    const truth = { samples: shard.size, loss: needsLoss ? await meanLoss(model, received, shard) : 0 };
    const payload = attackers?.payload(id, round, config.update.codec, layout);
    uploads.push({
      member,
      ...(attackers?.report(id, round, truth) ?? truth),
      accuracy: needs.accuracies === true ? await accuracy(model, received, shard) : 0,
      staleness: 0,
      prepared: payload === undefined ? prepared : { ...prepared, payload },
      forged: payload !== undefined,
      outcome: lie === undefined && payload === undefined ? outcome : undefined,
    });
  }
  return uploads;
}

/**
 * Verifies coded bytes as a validator does: all of them (by default in the first round), or those that `prepareUpdate` did not make. What it makes it has decoded and
 * held against the bounds itself, so verifying it again (three readings and an inflation each) would only cost the simulation a third of its speed.
 */
export async function judge(
  { layout, bounds, config, master }: Federation,
  round: number,
  uploads: readonly Upload[],
  all = round === 1,
): Promise<{ accepted: readonly Upload[]; refused: readonly { id: number; reason: string }[] }> {
  const accepted: Upload[] = [];
  const refused: { id: number; reason: string }[] = [];
  const context = { layout, codec: config.update.codec, bounds, master, place: placeOf(round) };
  for (const one of uploads) {
    const reason = all || one.forged ? await refusalOf(one.prepared.payload, context) : undefined;
    if (reason === undefined) accepted.push(one);
    else refused.push({ id: one.member.id, reason });
  }
  return { accepted, refused };
}

async function refusalOf(
  payload: Uint8Array,
  context: Parameters<typeof checkPayload>[1],
): Promise<string | undefined> {
  try {
    const { refusal } = await checkPayload(async function* () {
      yield payload;
    }, context);
    return refusal?.name;
  } catch (error) {
    if (error instanceof DecodeError) return "MALFORMED";
    throw error;
  }
}

/** How fast a member's machine is, where the cell says it; members take the values in turn. */
export function resourceOf({ resources }: Federation["config"], id: number): number | undefined {
  return resources?.[(id - 1) % resources.length];
}

/** The laboratory's runs are all run 1. */
function placeOf(round: number): { readonly run: bigint; readonly round: number } {
  return { run: 1n, round };
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
