// SPDX-License-Identifier: Apache-2.0
import type { LedgerReader, RoundView } from "../protocol/ledger.ts";
import { type Phase, type RoundFailure, stateOf } from "../protocol/schedule.ts";

/** A round as the next transaction will find it. */
export interface RoundState {
  readonly round: RoundView;
  /** The latest block; a transaction sent now is mined after it. */
  readonly block: number;
  readonly phase: Phase;
  readonly failure?: RoundFailure;
}

export async function roundState(ledger: LedgerReader, run: bigint, round: number): Promise<RoundState> {
  // The block first: a view that is newer than its block can only show the phase later than it is, never earlier.
  const block = await ledger.blockNumber();
  const view = await ledger.roundView(run, round);
  return { round: view, block, ...stateOf(view.facts, block + 1) };
}

/** Follows a round block by block until `until` holds; rejects with the signal's reason. */
export async function waitForRound(
  ledger: LedgerReader,
  run: bigint,
  round: number,
  until: (state: RoundState) => boolean,
  signal?: AbortSignal,
): Promise<RoundState> {
  for (;;) {
    signal?.throwIfAborted();
    const state = await roundState(ledger, run, round);
    if (until(state)) return state;
    await ledger.waitForBlockAfter(state.block, signal);
  }
}

export function isClosed(state: { phase: Phase }): boolean {
  return state.phase === "finalised" || state.phase === "failed";
}

const ORDER: readonly Phase[] = ["committing", "judging", "attesting", "finalising", "finalised", "failed"];

/** Whether the round is past a phase (a closed round is past all of them). */
export function isPast(state: { phase: Phase }, phase: Phase): boolean {
  return ORDER.indexOf(state.phase) > ORDER.indexOf(phase);
}
