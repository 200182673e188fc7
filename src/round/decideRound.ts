// SPDX-License-Identifier: Apache-2.0
import { type AggregationProgress, aggregate } from "../aggregation/aggregate.ts";
import { holdUpdates } from "../aggregation/holdUpdates.ts";
import { masterInMemory } from "../aggregation/masterInMemory.ts";
import { serverOptimiserInMemory } from "../aggregation/serverOptimiserInMemory.ts";
import { type Participant, participantsRoot, type RoundResult, scoresDigest } from "../protocol/attestation.ts";
import { bitmapOf } from "../protocol/bitmap.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { type Checkpoint, encodeCheckpoint, modelRoot } from "../protocol/checkpoint.ts";
import { ZERO_WORD } from "../protocol/commitment.ts";
import type { CommitRecord } from "../protocol/ledger.ts";
import type { VerifiedArtifact, VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import type { RunContext } from "./runContext.ts";
import { type Scorer, scoreUpdates } from "./scoreUpdates.ts";

/** What a round is decided from: chain facts and verified bytes, nothing else. */
export interface DecisionInput {
  readonly round: number;
  readonly closing: boolean;
  /** The run's head before the round, its model, and the names of its checkpoint. */
  readonly head: Hex;
  readonly parent: Checkpoint;
  readonly parentModelRoot: Hex;
  readonly parentCheckpointCid: Hex;
  readonly accepted: bigint;
  readonly beacon: Hex;
  /** Accepted updates, ascending member id. */
  readonly updates: readonly { readonly commit: CommitRecord; readonly verified: VerifiedArtifact }[];
  /** Q16, before this round, aligned with `updates`. */
  readonly reputations: readonly number[];
  /** L; from the opened seals, or from the record where nobody here can open them. */
  readonly reportedLoss: number;
}

/** Everything a round decides; the same on every honest machine. */
export interface Decision {
  readonly result: RoundResult;
  /** The new model; the parent's in a closing round. */
  readonly model: Checkpoint;
  /** The new checkpoint file; absent in a closing round. */
  readonly checkpoint?: Uint8Array;
  /** λ row by row, ascending member id. */
  readonly weights: readonly number[];
  /** All 0 in a closing round and with attested scoring. */
  readonly scores: readonly number[];
}

/** What computes; the result does not depend on which. */
export interface Machinery {
  /** Not needed with attested scoring, in which scores are no part of the result. */
  readonly scorer?: Scorer;
  /** Validators use the fastest they have, the audit the plain reference. */
  readonly kernels: WideKernels;
  /** Told while whole updates are passed over, for a log. */
  readonly onProgress?: (progress: AggregationProgress) => void;
  /** Ends the decision early, between two steps of it. */
  readonly signal?: AbortSignal | undefined;
}

/** Encoded updates that are kept in memory, in bytes; a cohort that takes more is read from where its artifacts lie, each time anew. */
export const HELD_BYTES = 256 * 1_048_576;

/** Steps 5 and 6 of a round and the result T (design §4): a pure function that validators run and auditors repeat. */
export async function decideRound(
  context: RunContext,
  machinery: Machinery,
  input: DecisionInput,
  checkpointCidOf: (file: Uint8Array) => Promise<Hex>,
): Promise<Decision> {
  const decision = input.closing
    ? keepModel(input, context.layout.groups)
    : await moveModel(context, machinery, input, checkpointCidOf);
  const groups = decision.weights.length / Math.max(1, input.updates.length);
  const participants = input.updates.map(({ commit }, i): Participant => {
    const { memberId, artifactDigest, artifactCid, samples, lossCommitment } = commit.commitment;
    return {
      memberId,
      commitIndex: commit.commitIndex,
      artifactDigest,
      artifactCid,
      samples,
      lossCommitment,
      weights: decision.weights.slice(i * groups, (i + 1) * groups),
    };
  });
  const result: RoundResult = {
    run: context.run,
    round: input.round,
    head: input.head,
    accepted: input.accepted,
    kept: decision.kept,
    participantsRoot: participantsRoot(participants),
    modelRoot: decision.modelRoot,
    checkpointCid: decision.checkpointCid,
    updateNormSq: decision.updateNormSq,
    reportedLoss: input.reportedLoss,
    scoresDigest: scoresDigest(decision.scores),
    beacon: input.beacon,
    extension: ZERO_WORD,
  };
  const { model, weights, scores, checkpoint } = decision;
  return { result, model, weights, scores, ...(checkpoint === undefined ? {} : { checkpoint }) };
}

interface Movement {
  readonly kept: bigint;
  readonly model: Checkpoint;
  readonly weights: readonly number[];
  readonly scores: readonly number[];
  readonly modelRoot: Hex;
  readonly checkpointCid: Hex;
  readonly updateNormSq: bigint;
  readonly checkpoint?: Uint8Array;
}

/** The closing round: losses only; model and server optimiser stay. */
function keepModel({ parent, parentModelRoot, parentCheckpointCid, updates }: DecisionInput, groups: number): Movement {
  return {
    kept: 0n,
    model: parent,
    weights: new Array<number>(updates.length * groups).fill(0),
    scores: updates.map(() => 0),
    modelRoot: parentModelRoot,
    checkpointCid: parentCheckpointCid,
    updateNormSq: 0n,
  };
}

async function moveModel(
  context: RunContext,
  { scorer, kernels, onProgress, signal }: Machinery,
  input: DecisionInput,
  checkpointCidOf: (file: Uint8Array) => Promise<Hex>,
): Promise<Movement> {
  const updates = await holdUpdates(
    input.updates.map(({ verified }) => verified as VerifiedUpdate),
    HELD_BYTES,
  );
  const { parent, beacon, round } = input;
  const master = masterInMemory(parent.master);
  const optimiser = serverOptimiserInMemory(context.recipe, parent.state);
  const aggregated = await aggregate({
    updates,
    reputations: input.reputations,
    alphaQ16: context.params.alphaQ16,
    beacon: input.beacon,
    config: context.recipe.aggregation,
    master,
    ...(optimiser === undefined ? {} : { serverOptimiser: optimiser.files }),
    layout: context.layout,
    kernels,
    ...(onProgress === undefined ? {} : { onProgress }),
    signal,
  });
  const scores =
    context.recipe.scoring.mode === "attested"
      ? updates.map(() => 0)
      : await scoreUpdates(
          context,
          { scorer: required(scorer), kernels, signal },
          { parent: parent.master, updates, aggregated, reputations: input.reputations, beacon, round },
        );
  const model: Checkpoint = { master: master.after, state: optimiser?.after ?? {} };
  const checkpoint = encodeCheckpoint(model, context);
  return {
    kept: bitmapOf(input.updates.filter((_, i) => aggregated.kept[i]).map(({ commit }) => commit.commitIndex)),
    model,
    weights: [...aggregated.weights],
    scores,
    modelRoot: toHex(modelRoot(checkpoint)),
    checkpointCid: await checkpointCidOf(checkpoint),
    updateNormSq: aggregated.updateNormSq,
    checkpoint,
  };
}

function required(scorer: Scorer | undefined): Scorer {
  if (scorer === undefined) throw new TypeError("Exact scoring needs a held-out set and a model.");
  return scorer;
}
