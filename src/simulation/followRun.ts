// SPDX-License-Identifier: Apache-2.0
import type { LedgerReader } from "../protocol/ledger.ts";
import type { RoundReport } from "../report/runReport.ts";
import { isClosed, roundState } from "../round/waitForRound.ts";
import { observeRound, type RunObserver } from "./observeRun.ts";

/** What whoever follows a run is told. */
export interface RunFollower {
  /** Moves often; a terminal shows the last one. */
  onProgress?(text: string, done: number, total: number): void;
  /** A closed round, described; one after the other, in their order. */
  onRound?(report: RoundReport): void | Promise<void>;
  /** A round has closed; the next is looked for when this has ended. */
  onClosed?(round: number): Promise<void>;
}

/** Follows a run to its end; each closed round is described once, the closing round too. */
export async function followRun(
  observer: RunObserver,
  signal: AbortSignal,
  { onProgress, onRound, onClosed }: RunFollower,
): Promise<RoundReport[]> {
  const { ledger, run, params } = observer;
  const reports: RoundReport[] = [];
  const described: Promise<void>[] = [];
  let since = performance.now();
  for (let next = 1; ; ) {
    signal.throwIfAborted();
    const view = await ledger.runView(run);
    if (view.lastRound < next) {
      if (view.ended) break;
      onProgress?.("waiting for the next round", next - 1, params.rounds);
      await ledger.waitForBlockAfter(await ledger.blockNumber(), signal);
      continue;
    }
    const state = await roundState(ledger, run, next);
    if (!isClosed(state)) {
      const { commits, invited, facts } = state.round;
      const counts = {
        committing: `${commits}/${invited}`,
        judging: `${facts.verdicts}/${facts.validators}`,
        attesting: `${facts.attestations}/${facts.validators}`,
      } as Record<string, string>;
      onProgress?.(
        `round ${next}${state.round.closing ? " (closing)" : ""}: ${state.phase} ${counts[state.phase] ?? ""}`,
        next - 1,
        params.rounds,
      );
      await ledger.waitForBlockAfter(state.block, signal);
      continue;
    }
    await onClosed?.(next);
    const seconds = (performance.now() - since) / 1000;
    since = performance.now();
    const round = next++;
    // Described beside the next round, in order.
    const before = described.at(-1) ?? Promise.resolve();
    const description = before.then(async () => {
      const report = await observeRound(observer, round, seconds);
      reports.push(report);
      await onRound?.(report);
    });
    // Its failure is the run's, and is told when the run is over.
    description.catch(() => {});
    described.push(description);
  }
  await Promise.all(described);
  return reports;
}

/** Waits until a run is settled and every member that earned something has claimed it. */
export async function settledAndClaimed(
  ledger: LedgerReader,
  run: bigint,
  memberIds: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if ((await ledger.runView(run)).settled) {
      const standings = await Promise.all(memberIds.map((memberId) => ledger.standingOf(run, memberId)));
      if (standings.every(({ reward, claimed }) => reward === 0n || claimed)) return;
    }
    await ledger.waitForBlockAfter(await ledger.blockNumber(), signal);
  }
}
