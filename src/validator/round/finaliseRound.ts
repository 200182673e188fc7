// SPDX-License-Identifier: Apache-2.0
import type { Finalisation } from "../../protocol/ledger.ts";
import { phaseEnds } from "../../protocol/schedule.ts";
import { isClosed, type RoundState, waitForRound } from "../../round/waitForRound.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";

/**
 * Finalises when it is this validator's turn: validator (round + j) mod n may from view j on, a view being `viewBlocks` after the end of
 * attesting. The first in line makes the proof while others still attest; the rest make it only when their turn has come, since somebody else's
 * finalisation usually ends the wait.
 */
export async function finaliseRound(
  validator: ValidatorContext,
  round: ValidatorRound,
  prepare: () => Promise<Finalisation>,
): Promise<RoundState> {
  const turn = turnOf(round);
  const { params, ledger, run, signal } = validator;
  const early = turn === 0 ? prepare() : undefined;
  // The error of an early proof belongs to the moment it is needed.
  early?.catch(() => {});
  const state = await waitForRound(
    ledger,
    run,
    round.view.round,
    (current) => isClosed(current) || (current.phase === "finalising" && viewAt(current, params.viewBlocks) >= turn),
    signal,
  );
  if (isClosed(state)) return state;
  const finalisation = await (early ?? prepare());
  try {
    const { gasUsed } = await ledger.finalise(run, round.view.round, finalisation);
    validator.logger.info(
      { round: round.view.round, view: viewAt(state, params.viewBlocks), gas: Number(gasUsed) },
      "round finalised",
    );
  } catch (error) {
    // Another validator's turn may have come while this proof was made; only a round that is still open makes the error one.
    const now = await waitForRound(ledger, run, round.view.round, () => true, signal);
    if (!isClosed(now)) throw error;
    return now;
  }
  return waitForRound(ledger, run, round.view.round, isClosed, signal);
}

/** j: how many views pass before this validator may finalise the round. */
function turnOf({ view, recipients, self }: ValidatorRound): number {
  const n = recipients.validatorSet.validators.length;
  return (((self.index - view.round) % n) + n) % n;
}

/** View of the block after the current one, in which a transaction sent now is mined at the earliest. */
function viewAt(state: RoundState, viewBlocks: number): number {
  return Math.floor((state.block + 1 - phaseEnds(state.round.facts).attest) / viewBlocks);
}
