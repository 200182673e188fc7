// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../../protocol/bitmap.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { AttestedRound, CommitRecord, FinalisedRecord } from "../../protocol/ledger.ts";
import type { VerifiedArtifact } from "../../protocol/verifiedUpdate.ts";
import { artifactContext } from "../../round/artifactContext.ts";
import { fetchCheckpoint } from "../../round/fetchCheckpoint.ts";
import { reputationsBefore } from "../../round/reputationsBefore.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";
import { fetchUntil } from "./fetchUpdates.ts";
import { isRefusal, judgeUpdates } from "./judgeUpdates.ts";
import { ownScores, sealScores } from "./ownScores.ts";

/**
 * Shows the scores that this validator committed to in a finalised round. Without `known` (it was killed since) it makes them again from chain,
 * store and its own data. What does not open the commitment is not sent: the data or the key file are not those it attested with.
 */
export async function revealScores(
  validator: ValidatorContext,
  round: ValidatorRound,
  state: AttestedRound,
  known: readonly number[] | undefined,
): Promise<void> {
  const { ledger, run, logger } = validator;
  const { round: roundId } = round.view;
  const commitments = await ledger.scoreCommitments(run, roundId);
  const mine = commitments.find(({ validatorIndex }) => validatorIndex === round.self.index);
  if (mine === undefined) return;
  const scores = known ?? (await scoresAgain(validator, round, state));
  const { commitment, salt } = sealScores(validator, roundId, round.self.index, scores);
  if (commitment !== mine.commitment) {
    logger.error(
      { round: roundId, committed: mine.commitment, found: commitment },
      "the scores are not those this validator committed to: its held-out data or its key file has changed, and it reveals nothing",
    );
    return;
  }
  const { gasUsed } = await ledger.revealScores(run, roundId, { scores, salt });
  logger.info({ round: roundId, gas: Number(gasUsed) }, "scores revealed");
}

/** The scores of a finalised round, from its record: kept set and weights are what the quorum sealed. */
async function scoresAgain(
  validator: ValidatorContext,
  round: ValidatorRound,
  { revealEnd }: AttestedRound,
): Promise<readonly number[]> {
  const { ledger, store, signal, run } = validator;
  const record = await ledger.finalised(run, round.view.round);
  if (record === undefined) throw new FoedusError("RECORD_MISSING", `Round ${round.view.round} has no record.`);
  const parent = await fetchCheckpoint(store, await parentOf(validator, round), validator, { signal });
  const { result, finalisation } = record;
  const updates = await updatesOf(validator, round, record, parent.master, revealEnd);
  const { kept, beacon } = result;
  const { weights } = finalisation;
  const memberIds = updates.map(({ commit }) => commit.commitment.memberId);
  const place = { run, round: round.view.round, alphaQ16: validator.params.alphaQ16 };
  // Coalitions by the round's weights do not look at them, and every round before is a question to the chain.
  const reputations =
    validator.recipe.scoring.coalitions === "rule" ? await reputationsBefore(ledger, place, memberIds) : [];
  const scored = { round: place.round, parent: parent.master, beacon, kept, weights, updates, reputations };
  return ownScores(validator, scored);
}

/** The checkpoint that the round's updates were made from: that of the finalised round whose head it has. */
async function parentOf({ ledger, run }: ValidatorContext, { view }: ValidatorRound) {
  for (let before = view.round - 1; before >= 0; before--) {
    const record = await ledger.recordOf(run, before);
    if (record?.head === view.head) return record;
  }
  throw new FoedusError(
    "RECORD_MISSING",
    `No finalised round has the head ${view.head} that round ${view.round} builds on.`,
  );
}

async function updatesOf(
  validator: ValidatorContext,
  round: ValidatorRound,
  { result }: FinalisedRecord,
  master: Float64Array,
  revealEnd: number,
): Promise<{ commit: CommitRecord; verified: VerifiedArtifact }[]> {
  const { ledger, run } = validator;
  const accepted = (await ledger.commits(run, round.view.round))
    .filter(({ commitIndex }) => hasBit(result.accepted, commitIndex))
    .sort((a, b) => a.commitment.memberId - b.commitment.memberId);
  const context = artifactContext(
    validator,
    { closing: false, recipients: round.recipients, master },
    { index: round.self.index, privateKey: validator.encryptionPrivateKey },
  );
  const fetched = await fetchUntil(validator, round, accepted, async (stop) => {
    let block = await ledger.blockNumber();
    // Usually all are held since they were judged. What is not is waited for no longer than in judging, since the next round is due as well.
    const end = Math.min(revealEnd, block + validator.params.fetchBlocks);
    while (block < end) block = await ledger.waitForBlockAfter(block, stop);
  });
  return (await judgeUpdates(validator, fetched, context)).map(({ commit, verdict }) => {
    if (!isRefusal(verdict)) return { commit, verified: verdict };
    throw new FoedusError(
      "ACCEPTED_BUT_INVALID",
      `Member ${commit.commitment.memberId}'s update was accepted and is ${verdict.name} here; this validator cannot score round ${round.view.round} again.`,
      { values: { member: commit.commitment.memberId, code: verdict.name } },
    );
  });
}
