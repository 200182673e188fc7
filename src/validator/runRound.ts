// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { Checkpoint } from "../protocol/checkpoint.ts";
import { contentIdOfDigest, digestOfContentId } from "../protocol/contentId.ts";
import { FoedusError } from "../protocol/errors.ts";
import type { RoundView } from "../protocol/ledger.ts";
import { reportedLoss } from "../protocol/reportedLoss.ts";
import { artifactContext } from "../round/artifactContext.ts";
import { type Decision, decideRound } from "../round/decideRound.ts";
import { fetchCheckpoint } from "../round/fetchCheckpoint.ts";
import { enterRound } from "./enterRound.ts";
import type { OpenedLoss } from "./lossProver.ts";
import { attestRound } from "./round/attestRound.ts";
import { type AcceptedUpdates, collectAccepted } from "./round/collectAccepted.ts";
import { fetchUpdates } from "./round/fetchUpdates.ts";
import { finaliseRound } from "./round/finaliseRound.ts";
import { judgeUpdates } from "./round/judgeUpdates.ts";
import { ownScores, sealScores } from "./round/ownScores.ts";
import { postVerdict } from "./round/postVerdict.ts";
import { proveLoss } from "./round/proveLoss.ts";
import { reportProgress } from "./round/reportProgress.ts";
import { storeCheckpoint } from "./round/storeCheckpoint.ts";
import type { ScoreDuties } from "./scoreDuties.ts";
import type { ValidatorContext, ValidatorRound } from "./validatorContext.ts";

/**
 * One round of a validator, from any point of it: every step is a function of chain and store and leaves out what the chain shows as done, so
 * a validator that was killed anywhere computes the same again and continues.
 */
export async function runRound(validator: ValidatorContext, view: RoundView, duties: ScoreDuties): Promise<void> {
  const round = await enterRound(validator, view);
  if (round === undefined) return;
  const parent = await validator.ledger.runView(validator.run);
  requireOpen(view, parent);
  const model = await fetchCheckpoint(validator.store, parent, validator, { signal: validator.signal });
  const context = artifactContext(
    validator,
    { closing: view.closing, recipients: round.recipients, master: model.master },
    { index: round.self.index, privateKey: validator.encryptionPrivateKey },
  );

  const fetched = await fetchUpdates(validator, round);
  const judgements = await judgeUpdates(validator, fetched, context);
  await postVerdict(validator, round, judgements);

  const accepted = await collectAccepted(validator, round, judgements, context);
  if (accepted === undefined) return;
  const openings = openedLosses(accepted);
  const reputations = await reputationsOf(validator, view, accepted);
  const decision = await decide(validator, round, parent, model, accepted, reputations, openings);

  if (decision.checkpoint !== undefined)
    await storeCheckpoint(validator, decision.checkpoint, decision.result.checkpointCid);
  const scores = await commitToScores(validator, round, model, accepted, reputations, decision, duties);
  await attestRound(validator, round, decision.result, scores);
  const commits = judgements.map(({ commit }) => commit);
  const closed = await finaliseRound(validator, round, () => proveLoss(validator, commits, openings, decision));
  if (closed.phase === "finalised") await serveCheckpoint(validator, view.round, decision);
}

function openedLosses(accepted: AcceptedUpdates): OpenedLoss[] {
  return accepted.updates.map(({ commit, verified }) => {
    const { memberId, samples, lossCommitment } = commit.commitment;
    if (verified.opening === undefined)
      throw new FoedusError("SEAL_NOT_OPENED", `The seal of member ${memberId} was not opened.`);
    return { memberId, samples, lossCommitment, ...verified.opening };
  });
}

/** Q16, before this round. */
async function reputationsOf(
  { ledger, run }: ValidatorContext,
  view: RoundView,
  { updates }: AcceptedUpdates,
): Promise<readonly number[]> {
  const standings = await Promise.all(updates.map(({ commit }) => ledger.standingOf(run, commit.commitment.memberId)));
  // Finalising moves the standings, so what was read counts only if the round was still open afterwards.
  requireOpen(view, await ledger.runView(run));
  return standings.map(({ reputationQ16 }) => reputationQ16);
}

async function decide(
  validator: ValidatorContext,
  { view }: ValidatorRound,
  parent: { head: Hex; modelRoot: Hex; checkpointCid: Hex },
  model: Checkpoint,
  accepted: AcceptedUpdates,
  reputations: readonly number[],
  openings: readonly OpenedLoss[],
): Promise<Decision> {
  const report = reportProgress(validator.logger, "aggregating");
  return decideRound(
    validator,
    { ...validator, onProgress: (progress) => report({ round: view.round, ...progress }) },
    {
      round: view.round,
      closing: view.closing,
      head: view.head,
      parent: model,
      parentModelRoot: parent.modelRoot,
      parentCheckpointCid: parent.checkpointCid,
      accepted: accepted.bitmap,
      beacon: accepted.beacon,
      updates: accepted.updates,
      reputations,
      reportedLoss: reportedLoss(openings),
    },
    async (file) => digestOfContentId(await validator.store.cidOf(file)),
  );
}

/** With attested scoring, the commitment that goes with the seal. The scores themselves are revealed when the round is final. */
async function commitToScores(
  validator: ValidatorContext,
  { view, self }: ValidatorRound,
  parent: Checkpoint,
  { updates, beacon }: AcceptedUpdates,
  reputations: readonly number[],
  { result, weights }: Decision,
  duties: ScoreDuties,
): Promise<Hex | undefined> {
  if (validator.recipe.scoring.mode !== "attested" || view.closing) return undefined;
  const { round, kept } = result;
  const scored = { round, parent: parent.master, beacon, kept, weights, updates, reputations };
  const scores = await ownScores(validator, scored);
  duties.remember(round, scores);
  return sealScores(validator, round, self.index, scores).commitment;
}

function requireOpen(view: RoundView, { head }: { head: Hex }): void {
  if (head === view.head) return;
  throw new FoedusError("ROUND_OVER", `Round ${view.round} was finalised while this validator worked on it.`, {
    values: { round: view.round },
  });
}

/** Serves the checkpoint of a finalised round, if what was finalised is what this validator computed. */
async function serveCheckpoint(validator: ValidatorContext, round: number, decision: Decision): Promise<void> {
  if (decision.checkpoint === undefined) return;
  const record = await validator.ledger.recordOf(validator.run, round);
  if (record?.modelRoot !== decision.result.modelRoot) {
    validator.logger.error(
      { round, finalised: record?.modelRoot, computed: decision.result.modelRoot },
      "a quorum finalised another model than this validator computed",
    );
    return;
  }
  await validator.store.serve(contentIdOfDigest(decision.result.checkpointCid));
}
