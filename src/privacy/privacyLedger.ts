// SPDX-License-Identifier: Apache-2.0
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Hex } from "../protocol/bytes.ts";
import { FoedusError } from "../protocol/errors.ts";
import type { Account, Charge, PrivacyBudget } from "./charge.ts";
import { entryDigest, LEDGER_START, type LedgerEntry, lineOf, parseLedger } from "./ledgerEntry.ts";
import type { NeighbourRelation } from "./neighbours.ts";
import type { Epsilon } from "./rdp.ts";
import { roundsLeft, spentOf } from "./spending.ts";

/**
 * What a member has revealed of its data, over all runs: a file of JSON lines chained by digests, written before what they pay for leaves the node.
 * It cannot be rebuilt from the chain, which does not know what was prepared and never sent: back it up with the keys.
 */
export class PrivacyLedger {
  readonly #file: FileHandle;
  readonly #entries: LedgerEntry[];
  #length: number;
  /** Charges come one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, entries: readonly LedgerEntry[], length: number) {
    this.#file = file;
    this.#entries = [...entries];
    this.#length = length;
  }

  /**
   * Opens the ledger, or begins one. Check with `requireLedger` that none was lost before anything is trained.
   *
   * @throws FoedusError PRIVACY_LEDGER_DAMAGED.
   */
  static async open(path: string): Promise<PrivacyLedger> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "a+", 0o600);
    try {
      const { entries, length } = parseLedger(await file.readFile("utf8"));
      await file.truncate(length);
      await file.sync();
      await syncFolder(dirname(path));
      return new PrivacyLedger(file, entries, length);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  /** Digest of the last entry; zeros before the first. */
  get head(): Hex {
    const last = this.#entries.at(-1);
    return last === undefined ? LEDGER_START : entryDigest(last);
  }

  /** What has been spent so far, and would be with another charge. */
  spent(account: Account, delta: number, more: readonly Charge[] = []): Epsilon<NeighbourRelation> {
    return spentOf(this.#entries, account, delta, more);
  }

  /** How many more rounds like this one fit the budget, up to a million: what a node says when it starts. */
  roundsLeft(charge: Charge, budget: PrivacyBudget): number {
    return roundsLeft(this.#entries, charge, budget);
  }

  /**
   * Writes a charge down, on disk before this returns; only then may the noisy values leave. A round that was charged before costs nothing: its
   * update is the same, from the same secret stream.
   *
   * @throws FoedusError BUDGET_SPENT when it would not fit the budget; nothing is written then. CHARGE_CHANGED when the round was charged before
   * with other parameters: a second, different release would cost more than was written down.
   */
  charge(charge: Charge, budget: PrivacyBudget): Promise<LedgerEntry> {
    const result = this.#last.then(() => this.#charge(charge, budget));
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }

  async #charge(charge: Charge, budget: PrivacyBudget): Promise<LedgerEntry> {
    const known = this.#entries.find(
      ({ federation, run, round }) =>
        federation === charge.federation && BigInt(run) === charge.run && round === charge.round,
    );
    if (known !== undefined) return requireSame(known, charge);
    const { epsilon } = this.spent(charge, budget.delta, [charge]);
    if (!(epsilon <= budget.epsilon)) {
      const before = this.spent(charge, budget.delta).epsilon;
      throw new FoedusError(
        "BUDGET_SPENT",
        `Round ${charge.round} of run ${charge.run} would take the ${charge.unit}-level privacy loss from ε = ${before.toFixed(4)} to ${epsilon.toFixed(4)} at δ = ${budget.delta}, and the budget is ${budget.epsilon}. This node trains no further on this data; leave the run, or agree on a larger budget with those whose data it is.`,
        {
          values: {
            spent: before,
            wanted: epsilon,
            budget: budget.epsilon,
            delta: budget.delta,
            relation: charge.relation,
          },
        },
      );
    }
    const { run, ...rest } = charge;
    const entry: LedgerEntry = {
      index: this.#entries.length,
      previous: this.head,
      run: String(run),
      ...rest,
      releases: charge.releases.map((release) => ({ ...release })),
      epsilon,
      delta: budget.delta,
      budget: budget.epsilon,
    };
    const line = lineOf(entry);
    await this.#write(line);
    this.#length += line.length;
    this.#entries.push(entry);
    return entry;
  }

  /** A line that is not whole on disk is taken away again, or the next one would be written behind it. */
  async #write(line: string): Promise<void> {
    try {
      await this.#file.appendFile(line);
      await this.#file.sync();
    } catch (error) {
      await this.#file.truncate(this.#length).catch(() => {});
      throw error;
    }
  }
}

function requireSame(known: LedgerEntry, charge: Charge): LedgerEntry {
  const { run, ...wanted } = charge;
  const again = { ...known, ...wanted, run: String(run), releases: [...charge.releases] };
  if (lineOf(again) === lineOf(known)) return known;
  throw new FoedusError(
    "CHARGE_CHANGED",
    `Round ${charge.round} of run ${run} was charged with other noise or another clip norm before; leave this round out.`,
    { values: { run: String(run), round: charge.round, before: known.releases, now: charge.releases } },
  );
}

/** So that a new file's name is on disk too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
