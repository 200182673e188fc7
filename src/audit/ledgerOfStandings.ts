// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../protocol/bitmap.ts";
import type { FinalisedRecord } from "../protocol/ledger.ts";
import { nextReputation, REPUTATION_ONE } from "../protocol/reputation.ts";

/** Reputation, contribution and participation of one member, replayed. */
export interface ReplayedStanding {
  reputationQ16: number;
  contribution: bigint;
  participation: number;
}

/** Accounts of a run, replayed from its finalised rounds (design §4.5, §4.8, §4.9). */
export class Standings {
  readonly #accounts = new Map<number, ReplayedStanding>();

  of(memberId: number): ReplayedStanding {
    return this.#accounts.get(memberId) ?? { reputationQ16: REPUTATION_ONE, contribution: 0n, participation: 0 };
  }

  members(): number[] {
    return [...this.#accounts.keys()].sort((a, b) => a - b);
  }

  /**
   * Books a finalised round.
   * @param scores of the accepted updates, ascending member id; none where they count for nothing (voided, or not booked).
   */
  book(record: FinalisedRecord, closing: boolean, alphaQ16: number, scores: readonly number[]): void {
    if (closing) return;
    const accepted = record.finalisation.committed.filter(({ commitIndex }) =>
      hasBit(record.result.accepted, commitIndex),
    );
    for (const update of record.finalisation.committed) {
      const kept = hasBit(record.result.kept, update.commitIndex);
      const position = accepted.indexOf(update);
      // An endpoint may list fewer scores than updates; the missing ones count for nothing.
      const score = position < 0 ? 0 : (scores[position] ?? 0);
      const before = this.of(update.memberId);
      this.#accounts.set(update.memberId, {
        reputationQ16: nextReputation(before.reputationQ16, alphaQ16, kept),
        contribution: before.contribution + BigInt(score),
        participation: before.participation + (kept && score > 0 ? 1 : 0),
      });
    }
  }
}
