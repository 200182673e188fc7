// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { GramMatrix } from "../../src/protocol/wideKernels.ts";
import { FORMS, type Known } from "./chunks.ts";

/** Inputs by name and what every backend makes of them, as in test/vectors/kernels.json. */
export interface KernelCase {
  readonly name: string;
  /** K and d. */
  readonly updates: number;
  readonly size: number;
  /** Values are uniform on ±largest. */
  readonly largest: number;
  /** Forms of chunks.ts, taken in turn. */
  readonly forms: readonly string[];
  readonly trim: number;
  readonly nearest: number;
  /** SHA-256 of each result: its numbers in decimal, one a line; matrices row by row. */
  readonly digests: Readonly<Record<string, string>>;
}

export const readKernelCases = (): KernelCase[] =>
  (
    JSON.parse(readFileSync(new URL("../vectors/kernels.json", import.meta.url), "utf8")) as {
      cases: KernelCase[];
    }
  ).cases;

/** The updates of a case and its weights: K shares of 2^16, the last one takes what is left. */
export function inputsOf({ name, updates, size, largest, forms }: Omit<KernelCase, "digests">): {
  known: Known[];
  weights: Uint32Array;
} {
  const random = keyedRandom("kernel vectors", name);
  const known = Array.from({ length: updates }, (_, k) => {
    const values = Int32Array.from({ length: size }, () => random.integerBelow(2 * largest + 1) - largest);
    return (FORMS[forms[k % forms.length] as string] as (typeof FORMS)[string])(values, random);
  });
  const share = Math.floor(65_536 / updates);
  const weights = Uint32Array.from({ length: updates }, (_, k) =>
    k < updates - 1 ? share : 65_536 - share * (updates - 1),
  );
  return { known, weights };
}

export function digestOf(result: Iterable<number | bigint> | GramMatrix): string {
  const lines = [...result].flatMap((entry) => (typeof entry === "object" ? [...entry] : [entry]));
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}
