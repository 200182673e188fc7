// SPDX-License-Identifier: Apache-2.0
import { firstRoundOf, type Head, type ReplayableRun, roundsOf } from "./replayableRun.ts";

/** What the ledger keeps of an unlearning. */
export interface UnlearningRecord {
  readonly member: number;
  /** t₀, the first round that its update entered; null when there was nothing to forget. */
  readonly firstRound: number | null;
  readonly oldHead: string;
  readonly newHead: string;
  /** Rounds that were run again. */
  readonly replayed: number;
  /** Of these, rounds that failed without the member, with the reason. */
  readonly failed: readonly { readonly round: number; readonly reason: string }[];
}

export interface ExactReplay {
  readonly record: UnlearningRecord;
  readonly head: Head;
}

/**
 * Forgets a member exactly (spec I1): the rounds from its first one on are run again without it. What came before never saw it, and all
 * randomness is keyed, so the result is what training without the member from the start would have given: bit for bit on the agreed engine, where
 * {@link matchesTrainingWithout} can say so.
 */
export async function forgetByReplay(run: ReplayableRun, member: number): Promise<ExactReplay> {
  const old = run.heads.at(-1) as Head;
  const firstRound = firstRoundOf(run, member);
  const heads = firstRound === undefined ? [] : await run.replay(firstRound, [member]);
  const head = heads.at(-1) ?? old;
  const record = {
    member,
    firstRound: firstRound ?? null,
    oldHead: old.digest,
    newHead: head.digest,
    replayed: heads.length,
    failed: heads.flatMap(({ round, failed }) => (failed === undefined ? [] : [{ round, reason: failed }])),
  };
  return { record, head };
}

/** The whole run without the member, from the initial model: what an exact unlearning must equal, at the cost of all T rounds. */
export async function trainWithout(run: ReplayableRun, member: number): Promise<Head> {
  return (await run.replay(1, [member])).at(-1) ?? (run.heads[0] as Head);
}

/** Whether a claimed head is that of training without the member: what an auditor checks, and compares digests alone. */
export async function matchesTrainingWithout(
  run: ReplayableRun,
  member: number,
  claimed: Head,
): Promise<{ readonly equal: boolean; readonly retrained: Head; readonly rounds: number }> {
  const retrained = await trainWithout(run, member);
  return { equal: retrained.digest === claimed.digest, retrained, rounds: roundsOf(run) };
}
