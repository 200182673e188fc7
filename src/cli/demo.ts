// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LogFile } from "../process/logFile.ts";
import { ConfigError, EXIT } from "../protocol/errors.ts";
import type { RoundReport } from "../report/runReport.ts";
import { type DemoAudience, type DemoOutcome, runDemo } from "../simulation/demo.ts";
import { checkDemoOptions, type DemoOptions } from "../simulation/demoOptions.ts";
import { summariseDemo } from "../simulation/demoSummary.ts";
import type { DemoCommandOptions } from "./demoCommand.ts";
import { EXIT_CODES, type StopSignal, stopSignals } from "./stopSignals.ts";

/** Runs the demo, tells about it, and returns the exit code: 0 only if everything it promises came true. */
export async function demo(options: DemoCommandOptions): Promise<number> {
  checkDemoOptions(options);
  await mkdir(options.out, { recursive: true }).catch((cause: Error) => {
    throw new ConfigError(
      `--out ${options.out} cannot be a folder (${cause.message}); name another one.`,
      { out: options.out },
      cause,
    );
  });
  const screen = new Screen(options.quiet === true, options.json === true);
  const log = await LogFile.open(join(options.out, "demo.log"), "w");
  let stoppedBy: StopSignal = "SIGINT";
  using stop = stopSignals((signal) => {
    stoppedBy = signal;
    screen.note(`${signal}: stopping; the same signal again ends at once`);
  });
  let outcome: DemoOutcome;
  try {
    outcome = await runDemo(options, screen, (fields, message) => log.write({ ...fields, message }), stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    // Not everything it promises came true, and nothing went wrong: as shells count it.
    return EXIT_CODES[stoppedBy];
  } finally {
    await log.close();
    if (log.failure !== undefined) screen.note(log.failure.message);
  }
  screen.end(outcome, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify(summariseDemo(outcome))}\n`);
  return outcome.ok ? EXIT.ok : EXIT.verificationFailed;
}

/** Words of people on the screen: a moving line on a terminal, plain lines elsewhere. With --json they go to stderr, so that stdout is the summary. */
class Screen implements DemoAudience {
  readonly #quiet: boolean;
  readonly #stream: NodeJS.WriteStream;
  readonly #started = performance.now();
  #moving = false;

  constructor(quiet: boolean, json: boolean) {
    this.#quiet = quiet;
    this.#stream = json ? process.stderr : process.stdout;
  }

  stage(name: string): void {
    this.#line(`${this.#time()}  ── ${name}`);
  }

  progress(text: string, done: number, total: number): void {
    if (this.#quiet || !this.#stream.isTTY) return;
    const width = 24;
    const filled = Math.round((width * done) / Math.max(1, total));
    this.#stream.write(`\r\x1b[K${this.#time()}  [${"█".repeat(filled)}${"·".repeat(width - filled)}] ${text}`);
    this.#moving = true;
  }

  round(report: RoundReport, names: ReadonlyMap<number, string>): void {
    const kept = report.updates.filter(({ outcome }) => outcome === "kept").length;
    const facts = [
      report.closing
        ? "closing"
        : report.accuracy === undefined
          ? report.outcome
          : `accuracy ${report.accuracy.toFixed(3)}`,
      report.closing ? `${kept} losses` : `kept ${kept}/${report.updates.length}`,
      ...(report.reportedLoss === undefined ? [] : [`L ${report.reportedLoss.toFixed(3)} proven`]),
      ...(report.updateNorm === undefined || report.closing ? [] : [`norm ${report.updateNorm.toFixed(2)}`]),
      ...(report.gas === undefined ? [] : [`${Math.round(report.gas / 1000)}k gas`]),
      ...(report.seconds === undefined ? [] : [`${report.seconds.toFixed(1)} s`]),
      ...(report.outcome === "failed" ? [`failed: ${report.failure}`] : []),
    ];
    this.#line(`${this.#time()}  round ${String(report.round).padStart(2)}  ${facts.join(" · ")}`);
    for (const { memberId, outcome, refusal, yes } of report.updates) {
      if (outcome === "refused")
        this.#line(
          `                   ${names.get(memberId)} refused: ${refusal?.code} (${refusal?.votes} of ${report.validators.length} validators)`,
        );
      else if (outcome === "not kept")
        this.#line(`                   ${names.get(memberId)} accepted (${yes} yes), not kept by the rule`);
      else if (yes < report.validators.filter(({ verdict }) => verdict).length && yes * 2 <= report.validators.length)
        this.#line(`                   ${names.get(memberId)} accepted with ${yes} yes`);
    }
    for (const { index } of report.validators.filter(({ attested, agreed }) => attested && !agreed))
      this.#line(`                   validator ${index + 1} sealed another result: outvoted`);
    if ((report.view ?? 0) > 0)
      this.#line(`                   finalised by validator ${(report.proposer ?? 0) + 1} in view ${report.view}`);
  }

  note(text: string): void {
    this.#line(`                   ${text}`);
  }

  end({ report, expectations, ok, aggregators, files }: DemoOutcome, options: DemoOptions): void {
    this.#line("");
    this.#line("  member         samples   score (nats)   reputation   rounds kept        reward");
    for (const member of report.members) {
      const reward = `${tokens(member.reward)}`;
      this.#line(
        `  ${member.name.padEnd(12)} ${String(member.samples).padStart(9)} ${member.score.toFixed(4).padStart(14)} ${member.reputation.toFixed(3).padStart(12)} ${String(member.participation).padStart(13)} ${reward.padStart(13)}`,
      );
    }
    const devices = new Set(aggregators.map(({ backend, device }) => `${backend} (${device})`));
    const { total = 0, ...stages } = report.seconds;
    const [slowest] = Object.entries(stages).sort(([, a], [, b]) => b - a);
    this.#line("");
    this.#line(
      `  audit: ${report.audit?.ok ? "every link holds" : "FALSE LINKS"} · ${report.audit?.rounds} rounds · ${report.audit?.checks} checks`,
    );
    for (const { round, link, detail } of report.audit?.failures ?? [])
      this.#line(`    ${round === null ? "run" : `round ${round}`}, ${link}: ${detail}`);
    this.#line(`  validators aggregated on ${[...devices].join(", ")}; the audit repeated it with the reference`);
    this.#line(`  ${total.toFixed(1)} s in all; slowest stage: ${slowest?.[0]} (${slowest?.[1].toFixed(1)} s)`);
    this.#line(`  model  ${resolve(files.model)}`);
    this.#line(`  page   ${resolve(files.page)}`);
    for (const { what, seen } of expectations.filter(({ met }) => !met))
      this.#line(`  NOT AS PROMISED: ${what} (seen: ${seen})`);
    this.#line(ok ? `  all ${expectations.length} promises of the demo came true` : `  see ${resolve(options.out)}`);
  }

  #time(): string {
    return `${((performance.now() - this.#started) / 1000).toFixed(1).padStart(6)} s`;
  }

  #line(text: string): void {
    if (this.#quiet) return;
    this.#stream.write(`${this.#moving ? "\r\x1b[K" : ""}${text}\n`);
    this.#moving = false;
  }
}

/** Whole tokens of an amount in the smallest unit (18 decimals), for reading. */
function tokens(amount: string): string {
  const units = BigInt(amount) / 10n ** 16n;
  return `${units / 100n}.${(units % 100n).toString().padStart(2, "0")}`;
}
