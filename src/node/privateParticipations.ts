// SPDX-License-Identifier: Apache-2.0
import { LedgerRevert } from "../chain/errors.ts";
import type { LedgerEntry } from "../privacy/ledgerEntry.ts";
import type { Participation } from "../privacy/requireLedger.ts";
import { ConfigError } from "../protocol/errors.ts";
import { privacyOf } from "../protocol/recipe.ts";
import { loadRunContext } from "../round/runContext.ts";
import type { PrivacySurroundings } from "./memberPrivacy.ts";

/** Time for the recipe of another run, which others may or may not serve still. */
const RECIPE_MS = 10_000;

/** What the ledger's entries are held against. */
export interface KnownParticipations extends PrivacySurroundings {
  readonly entries: readonly LedgerEntry[];
  readonly federation: string;
  /** Runs that were not private, by the operator's word; asked only where their recipe is served by nobody. */
  readonly publicRuns: readonly bigint[];
}

/**
 * Rounds of private runs in which the chain has a commit of this member and the ledger no entry: all runs of the federation, rounds that failed
 * included. The recipes of other runs are read only where the ledger does not know of a commit.
 *
 * @throws ConfigError where nobody serves the recipe that says whether such a run was private.
 */
export async function unknownParticipations(known: KnownParticipations): Promise<readonly Participation[]> {
  const { ledger, run: own, federation } = known;
  const unknown: Participation[] = [];
  for (let run = 1n; ; run++) {
    const lastRound = await lastRoundOf(known, run);
    if (lastRound === undefined) return unknown;
    const missing: Participation[] = [];
    for (let round = 1; round <= lastRound; round++) {
      if (known.entries.some((entry) => isOf(entry, { federation, run, round }))) continue;
      const commits = await ledger.commits(run, round);
      if (commits.some(({ commitment }) => commitment.memberId === known.memberId))
        missing.push({ federation, run, round });
    }
    if (missing.length > 0 && (run === own.run || (await wasPrivate(known, run)))) unknown.push(...missing);
  }
}

function isOf(entry: LedgerEntry, { federation, run, round }: Participation): boolean {
  return entry.federation === federation && entry.run === String(run) && entry.round === round;
}

/** Undefined for a run that was never opened. */
async function lastRoundOf({ ledger }: KnownParticipations, run: bigint): Promise<number | undefined> {
  try {
    return (await ledger.runView(run)).lastRound;
  } catch (error) {
    if (error instanceof LedgerRevert && error.error === "TrainingLedgerUnknownRun") return undefined;
    throw error;
  }
}

async function wasPrivate({ ledger, store, publicRuns, signal }: KnownParticipations, run: bigint): Promise<boolean> {
  if (publicRuns.includes(run)) return false;
  try {
    const { recipe } = await loadRunContext(ledger, store, run, { signal, timeoutMs: RECIPE_MS });
    return privacyOf(recipe) !== undefined;
  } catch (cause) {
    signal.throwIfAborted();
    throw new ConfigError(
      `Run ${run} has commits of this member that its privacy ledger does not know, and its recipe, which says whether it was private, cannot be read (${(cause as Error).message}). Have the recipe served again; or, if the run was not private, write its number into privacy.publicRuns.`,
      { run: String(run) },
      cause,
    );
  }
}
