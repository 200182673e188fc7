// SPDX-License-Identifier: Apache-2.0

import { nextBeacon } from "../../protocol/beacon.ts";
import { hasBit } from "../../protocol/bitmap.ts";
import type { Hex } from "../../protocol/bytes.ts";
import { contentIdOfDigest } from "../../protocol/contentId.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { CommitRecord } from "../../protocol/ledger.ts";
import { acceptedBitmap, phaseEnds } from "../../protocol/schedule.ts";
import type { VerifiedArtifact } from "../../protocol/verifiedUpdate.ts";
import { isClosed, isPast, waitForRound } from "../../round/waitForRound.ts";
import type { ArtifactContext } from "../../update/verifyArtifact.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";
import { fetchUntil } from "./fetchUpdates.ts";
import { isRefusal, type Judgement, judgeUpdates } from "./judgeUpdates.ts";

/** What the verdicts decided, with the bytes behind it verified here. */
export interface AcceptedUpdates {
  readonly bitmap: bigint;
  /** R_t. */
  readonly beacon: Hex;
  /** Ascending member id. */
  readonly updates: readonly { readonly commit: CommitRecord; readonly verified: VerifiedArtifact }[];
}

/**
 * After judging: serves what it said yes to, so that whoever lacks accepted bytes can fetch them, and fetches what it lacks itself. Undefined
 * when the round failed.
 */
export async function collectAccepted(
  validator: ValidatorContext,
  round: ValidatorRound,
  judgements: readonly Judgement[],
  context: ArtifactContext,
): Promise<AcceptedUpdates | undefined> {
  const { ledger, run, signal } = validator;
  const state = await waitForRound(ledger, run, round.view.round, (current) => isPast(current, "judging"), signal);
  await Promise.all(
    judgements
      .filter(({ verdict }) => !isRefusal(verdict))
      .map(({ commit }) => validator.store.serve(contentIdOfDigest(commit.commitment.artifactCid))),
  );
  if (isClosed(state)) return undefined;

  const verdicts = await ledger.verdicts(run, round.view.round);
  const bitmap = acceptedBitmap(
    verdicts.map(({ bitmap: yes }) => yes),
    judgements.length,
    round.recipients.validatorSet.validators.length,
  );
  const missing = judgements
    .filter(({ commit, verdict }) => hasBit(bitmap, commit.commitIndex) && isRefusal(verdict))
    .map(({ commit }) => commit);
  const attestEnd = phaseEnds(state.round.facts).attest;
  const late = await judgeUpdates(
    validator,
    await fetchUntil(validator, round, missing, async (stop) => {
      let block = state.block;
      while (block < attestEnd) block = await ledger.waitForBlockAfter(block, stop);
    }),
    context,
  );
  const updates: { commit: CommitRecord; verified: VerifiedArtifact }[] = [];
  for (const { commit, verdict } of [...judgements.filter(({ commit }) => !missing.includes(commit)), ...late]) {
    if (!hasBit(bitmap, commit.commitIndex)) continue;
    if (isRefusal(verdict)) {
      throw new FoedusError(
        "ACCEPTED_BUT_INVALID",
        `Member ${commit.commitment.memberId}'s update was accepted by f+1 validators and is ${verdict.name} here; this validator does not attest round ${round.view.round}.`,
        {
          values: { member: commit.commitment.memberId, code: verdict.name },
        },
      );
    }
    updates.push({ commit, verified: verdict });
  }
  updates.sort((a, b) => a.commit.commitment.memberId - b.commit.commitment.memberId);
  const reveals = [...verdicts].sort((a, b) => a.validatorIndex - b.validatorIndex).map(({ reveal }) => reveal);
  return { bitmap, beacon: nextBeacon(round.view.beaconBefore, reveals), updates };
}
