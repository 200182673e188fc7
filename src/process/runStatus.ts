// SPDX-License-Identifier: Apache-2.0
import type { LedgerReader } from "../protocol/ledger.ts";
import { roundState } from "../round/waitForRound.ts";
import type { Metrics } from "./metrics.ts";

/** Where a run stands, as JSON. */
export interface RunStatus {
  readonly chain: string;
  readonly block: number;
  readonly run: string;
  /** Last opened round; 0 before the first. */
  readonly round: number;
  /** Of that round; "none" before the first. */
  readonly phase: string;
  readonly failure?: string;
  readonly closing: boolean;
  readonly finalisedRounds: number;
  readonly rounds: number;
  readonly head: string;
  readonly headRound: number;
  readonly ended: boolean;
  readonly settled: boolean;
}

/** Asks the chain how the run stands, and keeps the answer's numbers in the metrics. */
export async function runStatus(ledger: LedgerReader, run: bigint, metrics?: Metrics): Promise<RunStatus> {
  const view = await ledger.runView(run);
  const state = view.lastRound === 0 ? undefined : await roundState(ledger, run, view.lastRound);
  const block = state?.block ?? (await ledger.blockNumber());
  metrics?.set("foedus_block", block);
  metrics?.set("foedus_rounds_opened", view.lastRound);
  metrics?.set("foedus_rounds_finalised", view.finalisedRounds);
  metrics?.set("foedus_run_ended", view.ended ? 1 : 0);
  return {
    chain: ledger.chainId.toString(),
    block,
    run: run.toString(),
    round: view.lastRound,
    phase: state?.phase ?? "none",
    ...(state?.failure === undefined ? {} : { failure: state.failure }),
    closing: state?.round.closing ?? false,
    finalisedRounds: view.finalisedRounds,
    rounds: view.params.rounds,
    head: view.head,
    headRound: view.headRound,
    ended: view.ended,
    settled: view.settled,
  };
}
