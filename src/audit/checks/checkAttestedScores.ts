// SPDX-License-Identifier: Apache-2.0
import { mediansOf, scoreCommitment } from "../../protocol/attestedScores.ts";
import { bitmapOf, bitsOf, hasBit } from "../../protocol/bitmap.ts";
import type {
  AttestedRound,
  BookedScores,
  FinalisedRecord,
  LedgerReader,
  RoundView,
  ScoreCommitmentRecord,
  ScoreRevealRecord,
  ValidatorSet,
} from "../../protocol/ledger.ts";
import { FalseLink, requireEqual } from "../links.ts";

/**
 * Everything about a round's attested scores but the scoring itself, which only each validator's own data could repeat: one commitment with
 * every seal, reveals that open them in time, and their lower medians booked. Reports every false link.
 *
 * @returns the scores of the accepted updates that count, ascending member id; none while nothing is booked.
 */
export async function checkAttestedScores(
  ledger: LedgerReader,
  place: { readonly chainId: bigint; readonly rewards: string },
  challengeBlocks: number,
  round: RoundView,
  set: ValidatorSet,
  record: FinalisedRecord,
  now: { readonly voided: boolean; readonly settled: boolean },
  report: (failure: FalseLink | undefined) => void,
): Promise<readonly number[]> {
  const [state, commitments, reveals, booked] = await Promise.all([
    ledger.attestedRound(round.run, round.round),
    ledger.scoreCommitments(round.run, round.round),
    ledger.scoreReveals(round.run, round.round),
    ledger.bookedScores(round.run, round.round),
  ]);
  const attempt = (check: () => void): void => {
    try {
      check();
      report(undefined);
    } catch (error) {
      if (!(error instanceof FalseLink)) throw error;
      report(error);
    }
  };
  const accepted = record.finalisation.committed.filter(({ commitIndex }) =>
    hasBit(record.result.accepted, commitIndex),
  );
  const kept = accepted.filter(({ commitIndex }) => hasBit(record.result.kept, commitIndex));
  attempt(() => checkCommitments(round, set, commitments));
  attempt(() => {
    for (const reveal of reveals)
      checkReveal({ ...place, run: round.run, round: round.round }, kept.length, commitments, reveal);
  });
  attempt(() => checkState(state, challengeBlocks, now.voided, record, reveals, booked));
  const medians = mediansOf(
    reveals.map(({ scores }) => scores),
    kept.length,
    set.validators.length,
  );
  attempt(() =>
    checkBooked(
      kept.map(({ memberId }) => memberId),
      medians,
      reveals.length,
      now,
      booked,
    ),
  );
  if (booked === undefined) return [];
  const scoreOf = new Map(kept.map(({ memberId }, row) => [memberId, medians[row] ?? 0]));
  return accepted.map(({ memberId }) => scoreOf.get(memberId) ?? 0);
}

/** One commitment for each seal, by validators of the round. */
function checkCommitments(round: RoundView, set: ValidatorSet, commitments: readonly ScoreCommitmentRecord[]): void {
  for (const { validatorIndex, validatorId } of commitments) {
    if (set.validators[validatorIndex]?.id !== validatorId) {
      throw new FalseLink(
        "reveal",
        `Scores are committed to for validator index ${validatorIndex} with id ${validatorId}, which the round's set does not have.`,
      );
    }
  }
  const indices = commitments.map(({ validatorIndex }) => validatorIndex);
  if (new Set(indices).size !== indices.length) throw new FalseLink("reveal", "A validator committed to scores twice.");
  const committed = bitmapOf(indices);
  if (committed !== round.attestedBitmap) {
    throw new FalseLink(
      "reveal",
      `Validators {${bitsOf(round.attestedBitmap).join(", ")}} sealed the result; {${bitsOf(committed).join(", ")}} committed to scores.`,
    );
  }
}

function checkReveal(
  place: { readonly chainId: bigint; readonly rewards: string; readonly run: bigint; readonly round: number },
  kept: number,
  commitments: readonly ScoreCommitmentRecord[],
  { validatorIndex, validatorId, scores, salt }: ScoreRevealRecord,
): void {
  const committed = commitments.find((one) => one.validatorIndex === validatorIndex && one.validatorId === validatorId);
  if (scores.length !== kept)
    throw new FalseLink(
      "reveal",
      `Validator ${validatorId} revealed ${scores.length} scores; ${kept} updates were kept.`,
    );
  const given = scoreCommitment({ ...place, validatorIndex }, { scores, salt });
  if (given !== committed?.commitment) {
    throw new FalseLink(
      "reveal",
      `Validator ${validatorId} revealed scores with commitment ${given}; it committed to ${committed?.commitment ?? "nothing"}.`,
    );
  }
}

/** What the contract says of the round is what its events say, and its windows are those of the run. */
function checkState(
  state: AttestedRound | undefined,
  challengeBlocks: number,
  voided: boolean,
  record: FinalisedRecord,
  reveals: readonly ScoreRevealRecord[],
  booked: BookedScores | undefined,
): void {
  if (state === undefined) throw new FalseLink("reveal", "The contract has no attested scores for this round.");
  requireEqual("reveal", "The last block for revealing", state.revealEnd, record.block + challengeBlocks);
  const undisputed = state.revealEnd + challengeBlocks;
  if (state.bookAfter !== undisputed)
    requireEqual("scores", "The last block before booking", state.bookAfter, undisputed + challengeBlocks);
  const late = reveals.find(({ block }) => block < record.block || block > state.revealEnd);
  if (late !== undefined) {
    throw new FalseLink(
      "reveal",
      `Validator ${late.validatorId} revealed in block ${late.block}; blocks ${record.block} to ${state.revealEnd} were for revealing.`,
    );
  }
  const revealed = bitmapOf(reveals.map(({ validatorIndex }) => validatorIndex));
  requireEqual("reveal", "The contract's bitmap of reveals", state.revealed.toString(2), revealed.toString(2));
  requireEqual("scores", "Whether the contract has booked the scores", state.booked, booked !== undefined);
  requireEqual("scores", "Whether the contract has voided the scores", state.voided, voided);
  if (booked !== undefined && booked.block <= state.bookAfter)
    throw new FalseLink(
      "scores",
      `The scores were booked in block ${booked.block}; the windows end with ${state.bookAfter}.`,
    );
}

/** Booked once and rightly, or void, or still to come in a run that is not settled. */
function checkBooked(
  memberIds: readonly number[],
  medians: readonly number[],
  reveals: number,
  { voided, settled }: { readonly voided: boolean; readonly settled: boolean },
  booked: BookedScores | undefined,
): void {
  if (booked === undefined) {
    if (settled && !voided)
      throw new FalseLink("scores", "The run is settled; the scores of this round are not booked.");
    return;
  }
  if (voided) throw new FalseLink("scores", "The scores of this round were voided, and booked all the same.");
  requireEqual("scores", "The members whose scores were booked", booked.memberIds.join(), memberIds.join());
  requireEqual("scores", "The booked scores", booked.scores.join(), medians.join());
  requireEqual("scores", "The number of reveals", booked.reveals, reveals);
}
