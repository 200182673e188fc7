// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../protocol/bitmap.ts";
import type { LedgerReader } from "../protocol/ledger.ts";
import { nextReputation, REPUTATION_ONE } from "../protocol/reputation.ts";

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
  for (let before = 1; before < round; before++) {
    const record = await ledger.finalised(run, before);
    for (const { memberId, commitIndex } of record?.finalisation.committed ?? [])
      reputations.set(memberId, nextReputation(of(memberId), alphaQ16, hasBit(record?.result.kept ?? 0n, commitIndex)));
  }
  return memberIds.map(of);
}
