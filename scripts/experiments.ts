// SPDX-License-Identifier: Apache-2.0

/**
 * Runs the experiments that come with Foedus (experiments/*.yaml) and holds their results against the acceptance rows they state. Results that are there
 * and fresh are not made again.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { Command } from "commander";
import { readYaml } from "../src/process/readYaml.ts";
import { ConfigError, EXIT, FoedusError } from "../src/protocol/errors.ts";
import type { ExperimentReport } from "../src/report/experiments/experimentReport.ts";
import { experimentsMarkdown } from "../src/report/experiments/experimentsMarkdown.ts";
import { figureOf } from "../src/report/experiments/figure.ts";
import { type AcceptanceRow, acceptanceOf } from "../src/simulation/laboratory/acceptance.ts";
import { defaultDataRoot } from "../src/simulation/laboratory/dataRoot.ts";
import { type ExperimentConfig, parseExperiment } from "../src/simulation/laboratory/experimentConfig.ts";
import { reportOf } from "../src/simulation/laboratory/reportOf.ts";
import { runExperiment } from "../src/simulation/laboratory/runExperiment.ts";

interface Options {
  readonly results: string;
  readonly data?: string;
  readonly threads: number;
  readonly check?: boolean;
  readonly json?: boolean;
  readonly acceptStale?: boolean;
  readonly again?: boolean;
  readonly out?: string;
  readonly document?: string;
}

const FOLDER = "experiments";

const program = new Command("experiments")
  .description("run the experiments in experiments/ and hold their results against what they claim")
  .argument("[names...]", "experiments, by file name without .yaml; all if left out")
  .option("--results <folder>", "folder for results", join(FOLDER, "results"))
  .option("--data <folder>", "folder with real data sets (default: FOEDUS_DATA, or data)")
  .option("--threads <number>", "cells at a time", Number, availableParallelism())
  .option("--check", "exit with 1 if a claim does not hold")
  .option("--again", "run cells again whose results are there")
  .option("--accept-stale", "keep results that another version of the sources made")
  .option("--json", "print the acceptance rows as one JSON array")
  .option("--out <file>", "also write the rows to a file")
  .option("--document <file>", "write results and pictures into a document, below its line of dashes")
  .addHelpText(
    "after",
    "\nExamples:\n  $ npm run experiments -- s-fair\n  $ npm run experiments -- --check --json\n\nExit codes: 0 done, 1 a claim does not hold (with --check) or a defect, 2 usage or a cell that cannot run.",
  );

program.parse();
const options = program.opts<Options>();

/** Progress and words go to stderr when stdout is for programs. */
const say = (text: string): void => {
  (options.json === true ? process.stderr : process.stdout).write(`${text}\n`);
};

async function load(names: readonly string[]): Promise<readonly ExperimentConfig[]> {
  const known = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => basename(name, ".yaml"))
    .sort((a, b) => (a < b ? -1 : 1));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ConfigError(`There is no experiment "${unknown}"; there are ${known.join(", ")}.`, { unknown });
  const experiments: ExperimentConfig[] = [];
  for (const name of names.length > 0 ? names : known) {
    const file = join(FOLDER, `${name}.yaml`);
    experiments.push(parseExperiment(await readYaml(file, `name one of ${known.join(", ")}`), file));
  }
  return experiments;
}

function tell({ id, accept, claims }: AcceptanceRow): void {
  say(`${accept ? "✔" : "✘"} ${id}`);
  for (const { claim, holds, value, min, max } of claims) {
    const bounds = [min === undefined ? [] : [`at least ${min}`], max === undefined ? [] : [`at most ${max}`]]
      .flat()
      .join(", ");
    say(`    ${holds ? "✔" : "✘"} ${claim}: ${value === null ? "not measured" : value.toPrecision(4)} (${bounds})`);
  }
}

/** What is written by hand stays: everything up to the document's first line of dashes. Pictures go beside it, into images/experiments. */
function writeDocument(file: string, reports: readonly ExperimentReport[]): void {
  const images = join(dirname(file), "images", "experiments");
  mkdirSync(images, { recursive: true });
  const chapters = experimentsMarkdown(reports, (report) => {
    const figure = figureOf(report);
    if (figure === undefined) return undefined;
    writeFileSync(join(images, `${report.name}.svg`), figure);
    return `images/experiments/${report.name}.svg`;
  });
  const byHand = existsSync(file) ? (readFileSync(file, "utf8").split(/^---$/m, 1)[0] as string) : "# Experiments\n\n";
  writeFileSync(file, `${byHand}---\n\n${chapters}`);
}

async function main(): Promise<number> {
  const rows: AcceptanceRow[] = [];
  const reports: ExperimentReport[] = [];
  for (const experiment of await load(program.args)) {
    const started = performance.now();
    let told = started;
    const results = await runExperiment(experiment, {
      results: options.results,
      dataRoot: options.data ?? defaultDataRoot(),
      threads: options.threads,
      again: options.again === true,
      acceptStale: options.acceptStale === true,
      onProgress: ({ cellsDone, cells, secondsLeft }) => {
        if (performance.now() - told < 30_000) return;
        told = performance.now();
        process.stderr.write(
          `  ${experiment.name}: ${cellsDone} of ${cells} cells${secondsLeft === undefined ? "" : `, about ${Math.ceil(secondsLeft)} s left`}\n`,
        );
      },
    });
    const row = acceptanceOf(experiment, results);
    rows.push(row);
    reports.push(reportOf({ experiment, results, missing: 0 }));
    tell(row);
    say(`    ${results.length} cells, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  const text = JSON.stringify(rows.map(({ id, accept, figures, seeds }) => ({ id, accept, figures, seeds })));
  if (options.out !== undefined) writeFileSync(options.out, `${text}\n`);
  if (options.document !== undefined) writeDocument(options.document, reports);
  if (options.json === true) process.stdout.write(`${text}\n`);
  return options.check === true && rows.some(({ accept }) => !accept) ? EXIT.verificationFailed : EXIT.ok;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof FoedusError ? error.exitCode : EXIT.verificationFailed;
}
