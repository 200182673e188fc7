// SPDX-License-Identifier: Apache-2.0
import { bitsOf } from "../protocol/bitmap.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import { stateOf } from "../protocol/schedule.ts";

export interface ObservedRound {
  readonly round: number;
  readonly phase: string;
  readonly failure?: string;
  readonly closing: boolean;
  readonly invited: number;
  readonly commits: number;
  readonly verdicts: number;
  readonly accepted: number;
  readonly attestations: number;
  readonly validators: number;
  /** Of finalised rounds. */
  readonly kept?: number;
  /** L in nats, about the model before the round. */
  readonly reportedLoss?: number;
  readonly head?: string;
}

export interface ObservedMember {
  readonly memberId: number;
  readonly name: string;
  /** 0 … 1 */
  readonly reputation: number;
  /** Sum of scores, in nats. */
  readonly contribution: number;
  readonly participation: number;
  /** Smallest units of the token. */
  readonly reward: bigint;
  readonly claimed: boolean;
}

/** A run as one endpoint tells it. */
export interface ObservedRun {
  readonly chainId: bigint;
  readonly block: number;
  readonly run: bigint;
  readonly head: string;
  readonly headRound: number;
  readonly modelCid: string;
  readonly finalisedRounds: number;
  readonly wantedRounds: number;
  readonly ended: boolean;
  readonly settled: boolean;
  readonly pool: bigint;
  readonly rounds: readonly ObservedRound[];
  readonly members: readonly ObservedMember[];
}

/** Scores are in units of 2^-20 nats, losses of 2^-16, reputations of 2^-16. */
const SCORE_UNITS = 1_048_576;
const Q16 = 65_536;

export async function observeRun(ledger: LedgerReader, run: bigint): Promise<ObservedRun> {
  const view = await ledger.runView(run);
  const block = await ledger.blockNumber();
  const rounds: ObservedRound[] = [];
  for (let round = 1; round <= view.lastRound; round++) rounds.push(await observeRound(ledger, run, round, block));
  const members: ObservedMember[] = [];
  for (let memberId = 1, count = await ledger.memberCount(); memberId <= count; memberId++)
    members.push(await observeMember(ledger, run, view.lastRound, memberId));
  return {
    chainId: ledger.chainId,
    block,
    run,
    head: view.head,
    headRound: view.headRound,
    modelCid: contentIdOfDigest(view.checkpointCid),
    finalisedRounds: view.finalisedRounds,
    wantedRounds: view.params.rounds,
    ended: view.ended,
    settled: view.settled,
    pool: view.params.pool,
    rounds,
    members,
  };
}

async function observeRound(ledger: LedgerReader, run: bigint, round: number, block: number): Promise<ObservedRound> {
  const { facts, closing, invited, commits } = await ledger.roundView(run, round);
  const { phase, failure } = stateOf(facts, block + 1);
  const record = phase === "finalised" ? await ledger.finalised(run, round) : undefined;
  return {
    round,
    phase,
    ...(failure === undefined ? {} : { failure }),
    closing,
    invited,
    commits,
    verdicts: facts.verdicts,
    accepted: facts.accepted,
    attestations: facts.attestations,
    validators: facts.validators,
    ...(record === undefined
      ? {}
      : { kept: bitsOf(record.result.kept).length, reportedLoss: record.result.reportedLoss / Q16, head: record.head }),
  };
}

async function observeMember(
  ledger: LedgerReader,
  run: bigint,
  lastRound: number,
  memberId: number,
): Promise<ObservedMember> {
  const { reputationQ16, contribution, participation, reward, claimed } = await ledger.standingOf(run, memberId);
  const record = lastRound === 0 ? undefined : await ledger.memberInRound(run, lastRound, memberId);
  return {
    memberId,
    name: record?.name ?? "",
    reputation: reputationQ16 / Q16,
    contribution: Number(contribution) / SCORE_UNITS,
    participation,
    reward,
    claimed,
  };
}
