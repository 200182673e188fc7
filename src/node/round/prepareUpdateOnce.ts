// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type { LocalState } from "../../learning/algorithms/localAlgorithm.ts";
import { bytesToBigInt, type Hex, toHex } from "../../protocol/bytes.ts";
import { chunkRoot } from "../../protocol/chunkRoot.ts";
import { type UpdateCommitment, ZERO_WORD } from "../../protocol/commitment.ts";
import { digestOfContentId } from "../../protocol/contentId.ts";
import { FoedusError } from "../../protocol/errors.ts";
import { FIELD_ORDER } from "../../protocol/field.ts";
import { splitMaster } from "../../protocol/grid.ts";
import type { MemberRecord, RoundView } from "../../protocol/ledger.ts";
import { lossCommitment } from "../../protocol/lossCommitment.ts";
import { lossOnGrid } from "../../protocol/lossOnGrid.ts";
import { artifactContext } from "../../round/artifactContext.ts";
import { fetchCheckpoint } from "../../round/fetchCheckpoint.ts";
import { recipientsOf } from "../../round/recipients.ts";
import { encodeArtifact } from "../../update/artifact.ts";
import { prepareUpdate } from "../../update/prepareUpdate.ts";
import { agedResidual } from "../../update/residual.ts";
import { sealContext, sealOpening } from "../../update/sealOpening.ts";
import { type ArtifactContext, verifyArtifact } from "../../update/verifyArtifact.ts";
import type { TrainingOutcome, TrainingTask } from "../clientAlgorithm.ts";
import type { NodeContext } from "../nodeContext.ts";
import type { PreparedUpdate } from "../nodeState.ts";

/**
 * The node's update for a round: the one on disk, or a new one, which is on disk before this returns. Undefined when the node does not take
 * part: not invited, or committed already without the bytes being here (a lost disk), where making other bytes would be a second update.
 */
export async function prepareUpdateOnce(node: NodeContext, round: RoundView): Promise<PreparedUpdate | undefined> {
  const saved = await node.state.prepared(round.round);
  if (saved !== undefined) return saved;
  const member = await node.ledger.memberInRound(node.run, round.round, node.memberId);
  if (member === undefined || !(await node.ledger.isInvited(node.run, round.round, node.memberId))) {
    node.logger.info({ round: round.round }, "not invited to this round");
    return undefined;
  }
  const commits = await node.ledger.commits(node.run, round.round);
  if (commits.some(({ commitment }) => commitment.memberId === node.memberId)) {
    node.logger.warn(
      { round: round.round },
      "committed in an earlier life whose files are gone; leaving this round out",
    );
    return undefined;
  }
  const prepared = await prepare(node, round, member);
  await node.state.save(prepared);
  return prepared;
}

async function prepare(node: NodeContext, round: RoundView, member: MemberRecord): Promise<PreparedUpdate> {
  const head = await node.ledger.runView(node.run);
  if (head.head !== round.head) {
    throw new FoedusError(
      "ROUND_OVER",
      `Round ${round.round} was finalised before this node had its model; leaving it out.`,
      {
        values: { round: round.round },
      },
    );
  }
  const recipients = await recipientsOf(node.ledger, round);
  const { master } = await fetchCheckpoint(node.store, head, node, { signal: node.signal });
  const context = artifactContext(node, { closing: round.closing, recipients, master });
  const update = await train(node, round, member, context);
  const salt = bytesToBigInt(randomBytes(40)) % FIELD_ORDER;
  const seal = sealOpening({
    opening: { loss: update.loss, salt },
    recipients: context.recipients,
    context: sealContext({
      chainId: node.chainId,
      ledger: node.addresses.trainingLedger,
      run: node.run,
      round: round.round,
      memberId: node.memberId,
    }),
    contentKey: randomBytes(32),
  });
  const artifact = encodeArtifact({
    kind: round.closing ? "closing" : "update",
    run: node.run,
    round: round.round,
    memberId: node.memberId,
    baseHead: round.head,
    samples: update.samples,
    layoutDigest: toHex(node.layout.digest),
    codec: round.closing ? undefined : node.recipe.update.codec.name,
    ledgerEntry: update.ledgerEntry,
    seal,
    payload: update.payload,
  });
  const commitment: UpdateCommitment = {
    run: node.run,
    round: round.round,
    head: round.head,
    memberId: node.memberId,
    artifactDigest: toHex(chunkRoot(artifact)),
    artifactCid: digestOfContentId(await node.store.cidOf(artifact)),
    samples: update.samples,
    lossCommitment: lossCommitment({
      run: node.run,
      round: round.round,
      memberId: node.memberId,
      samples: update.samples,
      loss: update.loss,
      salt,
    }),
    extension: ZERO_WORD,
  };
  // What the node sends must pass what validators check; if not, the fault is here and must not cost reputation.
  const verdict = await verifyArtifact(artifact, commitment, context);
  if ("code" in verdict) {
    throw new FoedusError(
      "OWN_UPDATE_INVALID",
      `This node's own update would be refused with ${verdict.name}; nothing was sent.`,
      { values: { ...verdict.values } },
    );
  }
  const signature = await node.ledger.signCommitment(commitment);
  return {
    round: round.round,
    artifact,
    commitment,
    signature,
    loss: update.loss,
    salt,
    ...(update.nextResidual === undefined ? {} : { nextResidual: update.nextResidual }),
    ...(update.nextLocal === undefined ? {} : { nextLocal: update.nextLocal }),
  };
}

interface LocalUpdate {
  readonly samples: number;
  /** Loss of the received model, units 2^-16 nats. */
  readonly loss: number;
  readonly payload: Uint8Array;
  /** In private runs: digest of the entry that paid for it. */
  readonly ledgerEntry?: Hex | undefined;
  readonly nextResidual?: Float64Array;
  readonly nextLocal?: LocalState;
}

async function train(
  node: NodeContext,
  round: RoundView,
  member: MemberRecord,
  context: ArtifactContext,
): Promise<LocalUpdate> {
  const local = await node.state.local();
  const task: TrainingTask = {
    run: node.run,
    round: round.round,
    state: splitMaster(context.master, node.layout).view,
    local,
    participation: await participationIn(node, round),
  };
  // Paid for before the data is read; a round beyond the budget ends here.
  const ledgerEntry = await node.privacy?.charge(round.round, round.closing);
  const loss = (nats: number): number => node.privacy?.reportedLoss(round.round, nats) ?? lossOnGrid(nats);
  if (round.closing) {
    const { samples, receivedLoss } = await node.algorithm.evaluate(task, node.signal);
    return {
      samples: Math.min(samples, member.maxSamples),
      loss: loss(receivedLoss),
      payload: new Uint8Array(0),
      ledgerEntry,
    };
  }
  const outcome = node.privacy === undefined ? node.algorithm.train(task, node.signal) : trainPrivately(node, task);
  const { samples, receivedLoss, delta, silent, local: next } = await outcome;
  const noise = node.privacy?.noise(round.round);
  // A residual that does not say its round counts as left by the round before.
  const { values, round: leftBy = round.round - 1 } = await node.state.residual(node.layout.size);
  const { payload, nextResidual, clipFactor } = prepareUpdate({
    delta,
    silent,
    residual: agedResidual(values, round.round - leftBy, node.recipe.update.errorFeedback),
    master: context.master,
    layout: node.layout,
    codec: context.codec,
    bounds: context.bounds,
    place: { run: node.run, round: round.round },
    random: node.codecStream(round.round),
    noise,
  });
  // In private runs the clip norm is there to be met.
  if (clipFactor < 1 && noise === undefined)
    node.logger.warn({ round: round.round, clipFactor }, "update clipped to the run's norm bound");
  return {
    samples: Math.min(samples, member.maxSamples),
    loss: loss(receivedLoss),
    payload,
    ledgerEntry,
    nextResidual,
    ...(next === undefined || next === local ? {} : { nextLocal: next }),
  };
}

/** K/N; 1 where a cohort at least as large as the membership invites all. */
async function participationIn(node: NodeContext, { invited }: RoundView): Promise<number> {
  if (invited < node.params.cohort) return 1;
  return Math.min(1, invited / (await node.ledger.memberCount()));
}

/**
 * Training whose failure nobody sees: whether it diverges depends on the data, and a member that is missing would tell. It sends what a training that
 * went nowhere would.
 */
async function trainPrivately(
  { algorithm, signal, logger }: NodeContext,
  task: TrainingTask,
): Promise<TrainingOutcome> {
  try {
    const outcome = await algorithm.train(task, signal);
    if (outcome.delta.every(Number.isFinite)) return outcome;
  } catch (error) {
    if ((error as { code?: string }).code !== "DIVERGED") throw error;
  }
  logger.warn({ round: task.round }, "training diverged; the update is that of a training that went nowhere");
  return { ...(await algorithm.evaluate(task, signal)), delta: new Float32Array(task.state.length) };
}
