// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Hex, toHex, utf8 } from "../protocol/bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "../protocol/canonicalJson.ts";
import { FoedusError } from "../protocol/errors.ts";
import { sha256, tag } from "../protocol/hash.ts";
import type { Charge } from "./charge.ts";

const word = z.string().regex(/^0x[0-9a-f]{64}$/) as z.ZodType<Hex>;
const nonNegative = z.number().min(0);

/** A line of the ledger. `epsilon` at `delta` is of all entries of the same unit and relation up to and with this one. */
const entrySchema = z.strictObject({
  index: z.int().min(0),
  previous: word,
  federation: z.string().min(1).max(200),
  run: z.string().regex(/^(0|[1-9][0-9]*)$/),
  round: z.int().min(0),
  unit: z.enum(["client", "record"]),
  relation: z.enum(["add-remove", "replace-one"]),
  sigma: nonNegative,
  clipNorm: nonNegative,
  releases: z
    .array(
      z.strictObject({
        what: z.enum(["update", "loss"]),
        samplingRate: z.number().min(0).max(1),
        noiseMultiplier: nonNegative,
        steps: z.int().min(0),
      }),
    )
    .min(1),
  epsilon: nonNegative,
  /** ε that was allowed. */
  budget: nonNegative,
  delta: z.number().positive().lt(1),
});

export type LedgerEntry = z.infer<typeof entrySchema>;

/** What the first entry follows. */
export const LEDGER_START: Hex = `0x${"00".repeat(32)}`;

/** sha256(tag("privacy-ledger") ‖ canonical JSON): what the next entry names as `previous`, and what is recorded with a commit. */
export function entryDigest(entry: LedgerEntry): Hex {
  return toHex(sha256(tag("privacy-ledger"), utf8(canonicalJson(entry as unknown as Json))));
}

export function lineOf(entry: LedgerEntry): string {
  return `${canonicalJson(entry as unknown as Json)}\n`;
}

export function chargeOf(entry: LedgerEntry): Charge {
  const { federation, run, round, unit, relation, sigma, clipNorm, releases } = entry;
  return { federation, run: BigInt(run), round, unit, relation, sigma, clipNorm, releases };
}

/**
 * The entries of a ledger's text, each of which names the one before by its digest.
 *
 * A last line without its end is what a crash left while it was written; what it would have paid for never left the node, since that waits for
 * the whole line to be on disk. It is dropped.
 *
 * @returns the entries and how many characters (all of them ASCII) they take.
 * @throws FoedusError PRIVACY_LEDGER_DAMAGED for a line that is no entry, or does not follow the one before.
 */
export function parseLedger(text: string): { entries: readonly LedgerEntry[]; length: number } {
  const length = text.lastIndexOf("\n") + 1;
  const entries: LedgerEntry[] = [];
  let previous = LEDGER_START;
  for (const line of text.slice(0, length).split("\n").slice(0, -1)) {
    const entry = parseLine(line, entries.length);
    if (entry.index !== entries.length || entry.previous !== previous)
      throw damaged(entries.length, "it does not follow the line before");
    entries.push(entry);
    previous = entryDigest(entry);
  }
  return { entries, length };
}

function parseLine(line: string, index: number): LedgerEntry {
  try {
    return entrySchema.parse(parseCanonicalJson(line));
  } catch (cause) {
    throw damaged(index, "it is no entry", cause);
  }
}

function damaged(index: number, why: string, cause?: unknown): FoedusError {
  return new FoedusError(
    "PRIVACY_LEDGER_DAMAGED",
    `Line ${index + 1} of the privacy ledger was changed: ${why}. Restore the file from its backup; without it this node does not know what it has revealed.`,
    { values: { line: index + 1 }, cause },
  );
}
