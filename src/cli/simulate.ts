// SPDX-License-Identifier: Apache-2.0
import { readYaml } from "../process/readYaml.ts";
import { defaultDataRoot } from "../simulation/laboratory/dataRoot.ts";
import { cellsOf, parseExperiment } from "../simulation/laboratory/experimentConfig.ts";
import { resultsPath } from "../simulation/laboratory/experimentFolder.ts";
import { type ExperimentProgress, runExperiment } from "../simulation/laboratory/runExperiment.ts";
import { type Group, groupsOf, type Measure } from "../simulation/laboratory/summary.ts";
import { formatTable, printLine, toJson } from "./print.ts";
import type { SimulateOptions } from "./simulateCommand.ts";
import { EXIT_CODES, type StopSignal, stopSignals } from "./stopSignals.ts";

/** Runs an experiment and prints what came out. */
export async function simulate(file: string, options: SimulateOptions): Promise<void> {
  const experiment = parseExperiment(
    await readYaml(file, "the experiments that come with Foedus are in experiments/"),
    file,
  );
  if (options.list === true) {
    printCells(cellsOf(experiment), options.json === true);
    return;
  }
  let stoppedBy: StopSignal = "SIGINT";
  using stop = stopSignals((signal) => {
    stoppedBy = signal;
  });
  const bar = new ProgressLine(options.quiet === true);
  try {
    const results = await runExperiment(experiment, {
      results: options.results,
      dataRoot: options.data ?? defaultDataRoot(),
      threads: options.threads,
      again: options.again === true,
      acceptStale: options.acceptStale === true,
      onProgress: (progress) => bar.show(progress),
      signal: stop.signal,
    });
    bar.end();
    if (options.json === true) {
      printLine(toJson(results));
      return;
    }
    printLine(`${experiment.title} (${experiment.seeds.length} seeds)\n`);
    printLine(tableOf(groupsOf(results)));
    printLine(`\nResults: ${resultsPath(options.results, experiment.name)}`);
    printLine(`Look at them with: foedus report ${options.results}`);
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw error;
    process.stderr.write(`Stopped. What had ended is kept; the same command goes on from there.\n`);
    process.exitCode = EXIT_CODES[stoppedBy];
  }
}

function printCells(cells: ReturnType<typeof cellsOf>, json: boolean): void {
  if (json) printLine(toJson(cells.map(({ id, labels, seed }) => ({ id, labels, seed }))));
  else {
    const axes = Object.keys(cells[0]?.labels ?? {});
    printLine(
      formatTable(
        ["cell", ...axes, "seed"],
        cells.map(({ id, labels, seed }) => [id, ...axes.map((axis) => labels[axis] as string), String(seed)]),
      ),
    );
  }
}

const COLUMNS: readonly (readonly [string, Measure])[] = [
  ["accuracy %", "accuracy"],
  ["members %", "clientMean"],
  ["their std", "clientStd"],
  ["worst", "clientWorst"],
  ["recall %", "detectionRecall"],
  ["false %", "detectionFalsePositives"],
];

function tableOf(groups: readonly Group[]): string {
  const axes = Object.keys(groups[0]?.labels ?? {});
  const shown = COLUMNS.filter(([, measure]) => groups.some((group) => group.spread(measure) !== undefined));
  return formatTable(
    [...axes, ...shown.map(([heading]) => heading), "uplink MB"],
    groups.map((group) => [
      ...axes.map((axis) => group.labels[axis] as string),
      ...shown.map(([, measure]) => percent(group, measure)),
      (group.results.reduce((sum, { traffic }) => sum + traffic.uplinkBytes, 0) / group.results.length / 1e6).toFixed(
        2,
      ),
    ]),
  );
}

function percent(group: Group, measure: Measure): string {
  const spread = group.spread(measure);
  if (spread === undefined) return "–";
  return `${(100 * spread.mean).toFixed(1)} ± ${(100 * spread.std).toFixed(1)}`;
}

/** One line that moves on a terminal, and now and then a line elsewhere. */
class ProgressLine {
  readonly #quiet: boolean;
  #last = 0;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  show({ cells, cellsDone, cellsFound, share, secondsLeft }: ExperimentProgress): void {
    if (this.#quiet) return;
    const now = performance.now();
    const terminal = process.stderr.isTTY === true;
    if (share < 1 && now - this.#last < (terminal ? 200 : 15_000)) return;
    this.#last = now;
    const left = secondsLeft === undefined ? "" : `, about ${duration(secondsLeft)} left`;
    const found = cellsFound === 0 ? "" : ` (${cellsFound} found)`;
    const text = `${cellsDone} of ${cells} cells${found}, ${Math.floor(100 * share)} % of the rounds${left}`;
    process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (!this.#quiet && process.stderr.isTTY === true) process.stderr.write("\n");
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return `${Math.ceil(seconds / 60)} min`;
}
