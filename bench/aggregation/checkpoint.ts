// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { resultsSchema } from "./results.ts";

const standingSchema = z.strictObject({
  /** Cells that are measured, in the order in which they are visited. */
  cells: z.int().nonnegative(),
  measurements: resultsSchema.pick({
    rows: true,
    bandwidth: true,
    peers: true,
    rules: true,
    uploaded: true,
    fewer: true,
    missing: true,
  }),
  /** How long what took: decides what the rest may try. */
  seen: z.array(z.tuple([z.string(), z.strictObject({ k: z.int(), d: z.int(), ms: z.number() })])),
  loadBefore: z.number(),
  /** How many times the run was broken off and taken up again. */
  interruptions: z.int().nonnegative(),
});
/** How far a run has come. */
export type Standing = z.infer<typeof standingSchema>;

/** Where a long run is kept from cell to cell, so that it can be broken off at any time. */
export class Checkpoint {
  readonly #file: string;

  /** @param plan whatever decides what is measured, and on what: a run of another plan has a file of its own. */
  constructor(folder: string, plan: unknown) {
    const key = createHash("sha256").update(JSON.stringify(plan)).digest("hex").slice(0, 16);
    this.#file = join(folder, `aggregation-${key}.json`);
  }

  /** Undefined where no run of this plan was broken off. */
  read(): Standing | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    return standingSchema.parse(JSON.parse(text));
  }

  /** In one step: whenever the process ends, the old one or the new one is there. */
  write(standing: Standing): void {
    mkdirSync(join(this.#file, ".."), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify(standing));
    renameSync(`${this.#file}.new`, this.#file);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }
}
