// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { type LedgerEntry, parseLedger } from "./ledgerEntry.ts";

/**
 * The entries of a ledger's file, which is left as it is, so that a node may be writing it; none where there is no file.
 *
 * @throws FoedusError PRIVACY_LEDGER_DAMAGED.
 */
export async function readLedger(path: string): Promise<readonly LedgerEntry[]> {
  try {
    return parseLedger(await readFile(path, "utf8")).entries;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
