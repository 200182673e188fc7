// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import type { LedgerEntry } from "./ledgerEntry.ts";

/** A round of a private run in which the chain has a commit of this member, or will. */
export interface Participation {
  readonly federation: string;
  readonly run: bigint;
  readonly round: number;
}

/**
 * Refuses to go on when the ledger has no entry for something that the chain shows this member revealed: the file was lost, or is an old copy, and
 * what was spent is not known.
 *
 * @param participations of private runs only; all of them that the chain has, rounds that failed included (what was served was seen), and what is
 * prepared.
 * @throws FoedusError PRIVACY_LEDGER_LOST with the rounds.
 */
export function requireLedger(entries: readonly LedgerEntry[], participations: readonly Participation[]): void {
  const known = new Set(entries.map(({ federation, run, round }) => `${federation}/${run}/${round}`));
  const missing = participations.filter(({ federation, run, round }) => !known.has(`${federation}/${run}/${round}`));
  const [first] = missing;
  if (first === undefined) return;
  throw new FoedusError(
    "PRIVACY_LEDGER_LOST",
    `This member has ${missing.length} updates in private runs, on chain or ready to be sent, that its privacy ledger does not know, the first in round ${first.round} of run ${first.run}. Restore the ledger from its backup; without it this node does not train privately.`,
    { values: { missing: missing.map(({ run, round }) => ({ run: String(run), round })) } },
  );
}
