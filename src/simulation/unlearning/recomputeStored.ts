// SPDX-License-Identifier: Apache-2.0
import { AggregationError } from "../../aggregation/aggregationError.ts";
import { extentOf } from "../../learning/algorithms/batches.ts";
import { LearningError } from "../../learning/errors.ts";
import { powerOfTwo } from "../../protocol/grid.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { aggregateRound } from "../laboratory/aggregateRound.ts";
import { cohortSize } from "../laboratory/cellConfig.ts";
import type { Federation, Member } from "../laboratory/federation.ts";
import { resourceOf, type Upload } from "../laboratory/simulateRound.ts";
import { type Calibrate, fedEraser, type KeptUpdate } from "./fedEraser.ts";
import { forgetByRecomputing, type StoredRound } from "./recompute.ts";
import type { Head } from "./replayableRun.ts";
import type { KeptUpload } from "./runFolder.ts";
import { headOf } from "./snapshot.ts";
import type { StoredRun } from "./storedRun.ts";

/**
 * Aggregates a stored run's uploads again without a member's (spec I2), with the federation's own rule, server and memory of its members.
 *
 * @param federation at its start and without the member; it is moved to the result.
 */
export async function recomputeStored(
  run: StoredRun,
  member: number,
  federation: Federation,
  kernels: WideKernels,
  signal?: AbortSignal,
): Promise<{ readonly head: Head; readonly failed: readonly { readonly round: number; readonly reason: string }[] }> {
  const failed: { round: number; reason: string }[] = [];
  const members = new Map(federation.members.map((one) => [one.id, one]));
  const advance = async (state: Federation, { round, updates }: StoredRound<null>): Promise<Federation> => {
    signal?.throwIfAborted();
    const left = new Set(updates.map(({ member: id }) => id));
    const { uploads } = await run.folder.round(round);
    const accepted = uploads
      .filter(({ member: id }) => left.has(id))
      .map((upload) => uploadOf(upload, members.get(upload.member) as Member));
    try {
      await aggregateRound(state, round, accepted, kernels);
    } catch (error) {
      if (!(error instanceof AggregationError)) throw error;
      failed.push({ round, reason: error.code });
    }
    return state;
  };
  const rounds = run.rounds.map(({ round, accepted }) => ({
    round,
    updates: accepted.map((id) => ({ member: id, update: null })),
  }));
  await forgetByRecomputing(federation, rounds, member, advance);
  return { head: headOf(federation, run.rounds.length), failed };
}

/** The upload as the rule sees it; its bytes were verified when it came. */
function uploadOf({ decoded, samples, loss, accuracy, clipFactor }: KeptUpload, member: Member): Upload {
  return {
    member,
    samples,
    loss,
    accuracy,
    staleness: 0,
    forged: false,
    outcome: undefined,
    prepared: {
      payload: new Uint8Array(),
      decoded,
      nextResidual: member.residual,
      clippedCoordinates: 0,
      clipFactor,
    },
  };
}

export interface Erased {
  readonly state: Float32Array;
  /** Rounds of training that calibration took, each the share of one that it was. */
  readonly clientRounds: number;
}

/** An update in a round that FedEraser does not look at. */
const UNREAD: KeptUpdate = { delta: new Float64Array(), samples: 0 };

/**
 * FedEraser (spec I3) over a stored run.
 *
 * @param federation without the member, whose members calibrate with their own algorithm and without memory of the rounds that are to be undone.
 */
export async function eraseStored(
  run: StoredRun,
  member: number,
  federation: Federation,
  options: { readonly keepEvery: number; readonly effort: number },
  {
    onTrained,
    signal,
  }: { readonly onTrained?: (share: number) => void; readonly signal?: AbortSignal | undefined } = {},
): Promise<Erased> {
  const { config, random, layout, model } = federation;
  const unit = powerOfTwo(-config.update.fractionBits);
  const members = new Map(federation.members.map((one) => [one.id, one]));
  const rounds: StoredRound<KeptUpdate>[] = [];
  for (const [t, { round, accepted, failed }] of run.rounds.entries()) {
    // What a failed round was sent never moved the model.
    if (failed !== null) rounds.push({ round, updates: [] });
    else if (t % options.keepEvery !== 0)
      rounds.push({ round, updates: accepted.map((id) => ({ member: id, update: UNREAD })) });
    else {
      const { uploads } = await run.folder.round(round);
      rounds.push({
        round,
        updates: uploads.map(({ member: id, decoded, samples }) => ({
          member: id,
          update: { delta: Float64Array.from(decoded, (q: number) => q * unit), samples },
        })),
      });
    }
  }
  let clientRounds = 0;
  const train: Calibrate = async (id, state, round, effort) => {
    signal?.throwIfAborted();
    const { algorithm, shard } = members.get(id) as Member;
    const { steps } = extentOf(config.training, shard.size);
    const task = {
      round,
      state: Float32Array.from(state),
      shard,
      random: random.derive("calibration", round, id),
      local: {},
      participation: cohortSize(config) / config.members,
      resource: resourceOf(config, id),
      maxSteps: Math.max(1, Math.ceil(effort * steps)),
    };
    clientRounds += effort;
    onTrained?.(effort);
    try {
      return (await algorithm.train(task)).delta;
    } catch (error) {
      if (!(error instanceof LearningError && error.code === "DIVERGED")) throw error;
      // Who diverges says nothing of where to go: Û = 0.
      return new Float32Array(layout.size);
    }
  };
  const [start] = run.heads;
  const state = await fedEraser((start as Head).state.subarray(0, layout.size), rounds, member, train, {
    layers: model.layout,
    calibrate: "client",
    ...options,
  });
  return { state: Float32Array.from(state), clientRounds };
}
