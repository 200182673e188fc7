// SPDX-License-Identifier: Apache-2.0
import { bitmapOf } from "../../protocol/bitmap.ts";
import type { CommitRecord } from "../../protocol/ledger.ts";
import { refuse, type UpdateRefusal } from "../../protocol/refusals.ts";
import type { VerifiedArtifact } from "../../protocol/verifiedUpdate.ts";
import { type ArtifactContext, verifyArtifact } from "../../update/verifyArtifact.ts";
import type { ValidatorContext } from "../validatorContext.ts";
import type { Fetched } from "./fetchUpdates.ts";
import { reportProgress } from "./reportProgress.ts";

/** The verdict on one commit: the verified artifact, or why it is refused. */
export interface Judgement {
  readonly commit: CommitRecord;
  readonly verdict: VerifiedArtifact | UpdateRefusal;
}

export function isRefusal(verdict: VerifiedArtifact | UpdateRefusal): verdict is UpdateRefusal {
  return "code" in verdict;
}

/** Judges without effects; acting on it is for the next steps. One artifact after the other, so that memory is that of one. */
export async function judgeUpdates(
  validator: ValidatorContext,
  fetched: readonly Fetched[],
  context: ArtifactContext,
): Promise<Judgement[]> {
  const judgements: Judgement[] = [];
  const report = reportProgress(validator.logger, "verifying updates");
  for (const { commit, bytes, tooLarge } of fetched) {
    validator.signal.throwIfAborted();
    const verdict = tooLarge
      ? refuse("MALFORMED", { reason: "larger than any artifact of this round" })
      : await verifyArtifact(bytes, commit.commitment, context);
    if (isRefusal(verdict)) {
      validator.logger.warn(
        { round: commit.commitment.round, member: commit.commitment.memberId, code: verdict.name },
        "update refused",
      );
    }
    judgements.push({ commit, verdict });
    report({ round: commit.commitment.round, done: judgements.length, of: fetched.length });
  }
  return judgements;
}

export function yesBitmap(judgements: readonly Judgement[]): bigint {
  return bitmapOf(judgements.filter(({ verdict }) => !isRefusal(verdict)).map(({ commit }) => commit.commitIndex));
}

/** One byte per commit index: 0 for yes, else the refusal code. */
export function verdictCodes(judgements: readonly Judgement[]): Uint8Array {
  const codes = new Uint8Array(judgements.length);
  for (const { commit, verdict } of judgements) codes[commit.commitIndex] = isRefusal(verdict) ? verdict.code : 0;
  return codes;
}
