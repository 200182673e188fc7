// SPDX-License-Identifier: Apache-2.0
import { type Account, type Charge, epsilonOfCharges, type PrivacyBudget } from "./charge.ts";
import { chargeOf, type LedgerEntry } from "./ledgerEntry.ts";
import type { NeighbourRelation } from "./neighbours.ts";
import type { Epsilon } from "./rdp.ts";

const MOST_ROUNDS = 1_000_000;

/** ε at δ of a ledger's entries of an account, over all federations and runs, and of further charges. */
export function spentOf(
  entries: readonly LedgerEntry[],
  account: Account,
  delta: number,
  more: readonly Charge[] = [],
): Epsilon<NeighbourRelation> {
  const charges = entries
    .filter(({ unit, relation }) => unit === account.unit && relation === account.relation)
    .map(chargeOf);
  return epsilonOfCharges([...charges, ...more], account, delta);
}

/** How many more rounds like this one fit the budget, up to a million. */
export function roundsLeft(entries: readonly LedgerEntry[], charge: Charge, { epsilon, delta }: PrivacyBudget): number {
  const fits = (rounds: number): boolean => {
    const releases = charge.releases.map((release) => ({ ...release, steps: release.steps * rounds }));
    return spentOf(entries, charge, delta, [{ ...charge, releases }]).epsilon <= epsilon;
  };
  let [low, high] = [0, 1];
  while (high <= MOST_ROUNDS && fits(high)) [low, high] = [high, 2 * high];
  if (high > MOST_ROUNDS) return MOST_ROUNDS;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** What a member has spent of one kind of guarantee. */
export interface Spending {
  readonly unit: Account["unit"];
  readonly relation: Account["relation"];
  readonly epsilon: number;
  /** Of the budget that the last round was held against. */
  readonly delta: number;
  readonly budget: number;
  readonly rounds: number;
  /** Rounds like the last one with an update that would still fit that budget, up to a million. */
  readonly roundsLeft: number;
}

/** What a ledger says has been spent, one row for each unit and relation; they do not add up. */
export function spendingOf(entries: readonly LedgerEntry[]): readonly Spending[] {
  const last = new Map<string, { entry: LedgerEntry; trained: LedgerEntry; rounds: number }>();
  for (const entry of entries) {
    const account = `${entry.unit} ${entry.relation}`;
    const before = last.get(account);
    const trained = entry.releases.some(({ what }) => what === "update") ? entry : (before?.trained ?? entry);
    last.set(account, { entry, trained, rounds: (before?.rounds ?? 0) + 1 });
  }
  return [...last.values()].map(({ entry, trained, rounds }) => {
    const { unit, relation, epsilon, delta, budget } = entry;
    const left = roundsLeft(entries, chargeOf(trained), { epsilon: budget, delta });
    return { unit, relation, epsilon, delta, budget, rounds, roundsLeft: left };
  });
}
