// SPDX-License-Identifier: Apache-2.0
import { type Aggregate, aggregate } from "../../aggregation/aggregate.ts";
import { masterInMemory } from "../../aggregation/masterInMemory.ts";
import { moveMaster } from "../../aggregation/moveMaster.ts";
import type { RoundFacts as RuleFacts } from "../../aggregation/rule.ts";
import { serverStep } from "../../aggregation/serverOptimiser.ts";
import { serverOptimiserInMemory } from "../../aggregation/serverOptimiserInMemory.ts";
import { type Hex, toHex, utf8 } from "../../protocol/bytes.ts";
import { MASTER_EXTRA_BITS, powerOfTwo, splitMaster } from "../../protocol/grid.ts";
import { keccak256 } from "../../protocol/hash.ts";
import { lossOnGrid } from "../../protocol/lossOnGrid.ts";
import { serverOptimiserOf } from "../../protocol/recipe.ts";
import { REPUTATION_ONE } from "../../protocol/reputation.ts";
import { chunkInMemory } from "../../protocol/updateChunk.ts";
import type { VerifiedUpdate } from "../../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { movementOnGrid } from "../../round/serverLearning/movementOnGrid.ts";
import type { BaseAggregation, FloatVector, MemberUpdate } from "../../round/serverLearning/strategy.ts";
import { compressDownlink, withDownlink } from "../../update/downlink.ts";
import type { Federation } from "./federation.ts";
import { type RoundScores, scoreRound } from "./scoreRound.ts";
import type { Upload } from "./simulateRound.ts";

/** What the server made of the accepted uploads; the federation's model has moved by it. */
export interface RoundDecision {
  readonly kept: readonly boolean[];
  /** Contributions of the uploads, where the cell scores. */
  readonly scored?: RoundScores;
}

/**
 * Aggregates accepted uploads as validators do, or with a server strategy on top of that, and moves the federation's model.
 *
 * @throws AggregationError what the rule refuses; the federation is then as it was.
 */
export async function aggregateRound(
  federation: Federation,
  round: number,
  accepted: readonly Upload[],
  kernels: WideKernels,
): Promise<RoundDecision> {
  return federation.server === undefined
    ? byRule(federation, round, accepted, kernels)
    : byStrategy(federation, federation.server, round, accepted, kernels);
}

async function byRule(
  federation: Federation,
  round: number,
  accepted: readonly Upload[],
  kernels: WideKernels,
): Promise<RoundDecision> {
  if (accepted.length === 0 && federation.config.privacy?.mode === "central") {
    // Whether anybody came must not show, and the round has been paid for: the noise is released by itself.
    move(federation, privately(federation, federation.master, round, []), round);
    return { kept: [] };
  }
  const optimiser = serverOptimiserInMemory(federation.config, federation.serverState);
  const { aggregated, after } = await applyRule(
    federation,
    round,
    accepted,
    kernels,
    factsOf(accepted),
    optimiser?.files,
  );
  const moved = privately(federation, after, round, accepted);
  const scored = await score(federation, round, accepted, aggregated, kernels);
  move(federation, moved, round);
  if (scored !== undefined) rememberScores(federation, accepted, scored);
  federation.serverState = optimiser?.after ?? {};
  remember(accepted, aggregated);
  return { kept: aggregated.kept, ...(scored === undefined ? {} : { scored }) };
}

/** Contributions to a round. */
async function score(
  federation: Federation,
  round: number,
  accepted: readonly Upload[],
  aggregated: Aggregate,
  kernels: WideKernels,
): Promise<RoundScores | undefined> {
  const { scoring } = federation.config;
  if (scoring === undefined) return undefined;
  return scoreRound(
    federation,
    scoring,
    {
      parent: federation.master,
      updates: accepted.map(verifiedOf),
      values: accepted.map(({ prepared }) => prepared.decoded),
      aggregated,
      reputations: accepted.map(({ member }) => member.reputation),
      facts: factsOf(accepted),
      beacon: beaconOf(federation.seed, round),
      round,
    },
    kernels,
  );
}

/** With the server's noise where the deployment has the server add it; and the round is booked. */
function privately(
  { privacy, master, layout }: Federation,
  after: Float64Array,
  round: number,
  accepted: readonly Upload[],
): Float64Array {
  if (privacy === undefined) return after;
  const cohort = accepted.length;
  const movement = after.map((value, j) => value - (master[j] as number));
  privacy.addServerNoise(movement, round, cohort);
  privacy.adapt(round, accepted.filter(({ prepared }) => prepared.clipFactor === 1).length, cohort);
  return moveMaster(master, movement, 0, layout);
}

/** The run's rule on the grid. */
async function applyRule(
  { config, layout, master, seed }: Federation,
  round: number,
  uploads: readonly Upload[],
  kernels: WideKernels,
  facts: RuleFacts,
  serverOptimiser?: NonNullable<Parameters<typeof aggregate>[0]["serverOptimiser"]>,
): Promise<{ aggregated: Aggregate; after: Float64Array }> {
  const file = masterInMemory(master);
  const aggregated = await aggregate({
    updates: uploads.map(verifiedOf),
    reputations: uploads.map(({ member }) => member.reputation),
    alphaQ16: Math.floor(config.reputationMemory * REPUTATION_ONE),
    beacon: beaconOf(seed, round),
    config: config.aggregation,
    layout,
    master: file,
    facts,
    ...(serverOptimiser === undefined ? {} : { serverOptimiser }),
    kernels,
  });
  return { aggregated, after: file.after };
}

async function byStrategy(
  federation: Federation,
  server: NonNullable<Federation["server"]>,
  round: number,
  accepted: readonly Upload[],
  kernels: WideKernels,
): Promise<RoundDecision> {
  const { layout, random, config } = federation;
  const unit = powerOfTwo(-config.update.fractionBits);
  const byId = new Map(accepted.map((upload) => [upload.member.id, upload]));
  let lastOfRule: { aggregated: Aggregate; uploads: readonly Upload[] } | undefined;
  const base: BaseAggregation = async (updates, reference) => {
    const uploads = updates.map(({ member }) => byId.get(member) as Upload);
    const facts: RuleFacts = {
      ...factsOf(uploads),
      ...(reference === undefined
        ? {}
        : { root: chunkInMemory({ kind: "dense", values: onGrid(reference, config.update.fractionBits) }) }),
    };
    const { aggregated, after } = await applyRule(federation, round, uploads, kernels, facts);
    lastOfRule = { aggregated, uploads };
    const masterUnit = unit * powerOfTwo(-MASTER_EXTRA_BITS);
    return {
      delta: after.map((value, j) => (value - (federation.master[j] as number)) * masterUnit),
      kept: aggregated.kept,
      ...(layout.groups > 1 ? {} : { weights: [...aggregated.weights].map((weight) => weight / 65_536) }),
    };
  };
  const { state, outcome } = await server.strategy.aggregate(server.state, {
    round,
    parameters: splitMaster(federation.master, layout).view,
    updates: accepted.map(
      (upload): MemberUpdate => ({
        member: upload.member.id,
        delta: Float64Array.from(upload.prepared.decoded, (q: number) => q * unit),
        samples: upload.samples,
        loss: upload.loss,
      }),
    ),
    random: random.derive("server", round),
    base,
  });
  let movement = movementOnGrid(outcome.delta, layout);
  let { serverState } = federation;
  const optimiser = serverOptimiserOf(config);
  if (optimiser !== undefined) {
    const step = serverStep(optimiser, movement, federation.serverState, config.update.fractionBits);
    movement = step.movement;
    serverState = step.state;
  }
  const moved = moveMaster(federation.master, movement, 0, layout);
  move(federation, moved, round);
  // From here on nothing fails.
  federation.serverState = serverState;
  server.state = state;
  server.personal = outcome.personal ?? server.personal;
  if (lastOfRule !== undefined) remember(lastOfRule.uploads, lastOfRule.aggregated);
  return { kept: outcome.kept };
}

/**
 * Moves the model of server and members: by all of it, or by what a compressed downlink says of it.
 *
 * @throws AggregationError GRID_OVERFLOW when what earlier downlinks left unsaid would take the model off the grid; the federation is then as it was.
 */
function move(federation: Federation, after: Float64Array, round: number): void {
  const { master, layout, config, random, downlink } = federation;
  const codec = config.update.downlink;
  if (codec === undefined || downlink === undefined) {
    federation.previousMaster = master;
    federation.master = after;
    return;
  }
  const { payload, moved, residual } = compressDownlink({
    movement: after.map((value, j) => value - (master[j] as number)),
    residual: downlink.residual,
    layout,
    codec,
    place: { run: 1n, round },
    random: random.derive("downlink", round),
  });
  const heard = moveMaster(master, moved, 0, layout);
  federation.previousMaster = master;
  federation.master = heard;
  federation.downlink = { residual, history: withDownlink(downlink.history, { round, payload }, codec.history) };
}

/** Into each member's running mean (spec E15: φ̄ ← m·φ̄ + (1 − m)·φ). */
function rememberScores({ config }: Federation, accepted: readonly Upload[], { scores }: RoundScores): void {
  const memory = config.scoring?.memory ?? 0;
  for (const [i, { member }] of accepted.entries()) {
    const before = member.contribution;
    const now = scores[i] as number;
    member.contribution = before === undefined ? now : Math.round(memory * before + (1 - memory) * now);
  }
}

/** What the rule says about members lasts. */
function remember(uploads: readonly Upload[], { reputations, memberState }: Aggregate): void {
  for (const [i, { member }] of uploads.entries()) {
    member.reputation = reputations[i] as number;
    if (memberState !== undefined) member.ruleState = memberState[i];
  }
}

function factsOf(uploads: readonly Upload[]): RuleFacts {
  return {
    contributions: uploads.map(({ member }) => member.contribution),
    accuracies: uploads.map(({ accuracy }) => Math.floor(accuracy * 65_536)),
    staleness: uploads.map(({ staleness }) => staleness),
    memberState: uploads.map(({ member }) => member.ruleState),
  };
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

/** A float vector as an update on the grid; what lies beyond it is cut. */
function onGrid(delta: FloatVector, fractionBits: number): Int32Array {
  const scale = powerOfTwo(fractionBits);
  return Int32Array.from(delta, (value) => Math.max(-16_777_215, Math.min(16_777_215, Math.trunc(value * scale))));
}

/** Stands for the chain's beacon: nobody in the simulation sees it before updates are made. */
function beaconOf(seed: number, round: number): Hex {
  return toHex(keccak256(utf8(`laboratory beacon ${seed} ${round}`)));
}
