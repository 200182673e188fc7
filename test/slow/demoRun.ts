// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type DemoAudience, type DemoOutcome, runDemo } from "../../src/simulation/demo.ts";
import { DEMO_DEFAULTS, type DemoOptions } from "../../src/simulation/demoOptions.ts";

const LOG_LINES = 60;

/** A demo in this process, without a screen. When it ends with an error, the end of its participants' log says why. */
export async function demoRun(t: TestContext, options: Partial<DemoOptions>): Promise<DemoOutcome> {
  const out = await mkdtemp(join(tmpdir(), "foedus-demo-"));
  t.after(() => rm(out, { recursive: true, force: true }));
  const told: string[] = [];
  const tell = (text: string): void => {
    told.push(text);
    if (told.length > LOG_LINES) told.shift();
  };
  const audience: DemoAudience = { stage: tell, progress() {}, round() {}, note: tell };
  try {
    const outcome = await runDemo(
      { ...DEMO_DEFAULTS, ...options, out },
      audience,
      (fields, message) =>
        tell(
          `${message} ${JSON.stringify(fields, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))}`,
        ),
      new AbortController().signal,
    );
    t.diagnostic(
      `${options.processes ? "as processes" : "in one process"}: ${Math.round(outcome.report.seconds["total"] ?? 0)} s`,
    );
    return outcome;
  } catch (error) {
    throw new Error(`The demo failed: ${error instanceof Error ? error.message : String(error)}\n${told.join("\n")}`, {
      cause: error,
    });
  }
}

/** Fails with every promise of the demo that did not come true, and what was seen instead. */
export function assertPromises({ expectations, ok, report }: DemoOutcome): void {
  const broken = expectations.filter(({ met }) => !met).map(({ what, seen }) => `${what} (seen: ${seen})`);
  const rounds = report.rounds.map(
    ({ round, outcome, failure, updates, view }) =>
      `${round} ${failure ?? outcome}, view ${view}: ${updates.map((update) => `${update.outcome} (${update.yes})`).join(", ")}`,
  );
  const links = report.audit?.failures.map(({ round, link, detail }) => `${round} ${link}: ${detail}`) ?? [];
  assert.ok(
    broken.length === 0,
    ["Promises that did not come true:", ...broken, "Rounds:", ...rounds, ...links].join("\n"),
  );
  assert.equal(ok, true);
}
