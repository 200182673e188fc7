// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../protocol/bitmap.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import { nextReputation, REPUTATION_ONE } from "../protocol/reputation.ts";

/** Rounds that are asked about at once: one after another would not fit a reveal window in a long run, all of them at once no endpoint. */
export const ROUNDS_AT_ONCE = 16;

/**
 * Reputations as a round that is final by now found them, Q16, aligned with `memberIds`: from the records of the rounds before it, since the chain
 * shows only what they are now. A round without a record has failed and moved nothing.
 */
export async function reputationsBefore(
  ledger: Pick<LedgerReader, "finalised">,
  { run, round, alphaQ16 }: { readonly run: bigint; readonly round: number; readonly alphaQ16: number },
  memberIds: readonly number[],
): Promise<number[]> {
  const reputations = new Map<number, number>();
  const of = (memberId: number): number => reputations.get(memberId) ?? REPUTATION_ONE;
  for (let first = 1; first < round; first += ROUNDS_AT_ONCE) {
    const rounds = Array.from({ length: Math.min(ROUNDS_AT_ONCE, round - first) }, (_, i) => first + i);
    for (const record of await Promise.all(rounds.map((before) => ledger.finalised(run, before))))
      for (const { memberId, commitIndex } of record?.finalisation.committed ?? [])
        reputations.set(
          memberId,
          nextReputation(of(memberId), alphaQ16, hasBit(record?.result.kept ?? 0n, commitIndex)),
        );
  }
  return memberIds.map(of);
}
