// SPDX-License-Identifier: Apache-2.0
import { readYaml } from "../process/readYaml.ts";
import { EXIT } from "../protocol/errors.ts";
import type { CellResult } from "../simulation/laboratory/cellResult.ts";
import { defaultDataRoot } from "../simulation/laboratory/dataRoot.ts";
import { cellsOf, type ExperimentConfig, parseExperiment } from "../simulation/laboratory/experimentConfig.ts";
import { resultsPath } from "../simulation/laboratory/experimentFolder.ts";
import { type ExperimentProgress, runExperiment } from "../simulation/laboratory/runExperiment.ts";
import { type Group, groupsOf, type Measure } from "../simulation/laboratory/summary.ts";
import type { ChainExperimentOptions } from "../simulation/onChain/runExperimentOnChain.ts";
import { figuresTable } from "./figuresTable.ts";
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
  if (options.chain === true) return simulateOnChain(experiment, options);
  await runAndPrint(experiment, options, COLUMNS, (common) =>
    runExperiment(experiment, { ...common, threads: options.threads }),
  );
}

/** The same with chain and store. Exit code 1 where an audit found a false link: the results are kept. */
async function simulateOnChain(experiment: ExperimentConfig, options: SimulateOptions): Promise<void> {
  // It brings nodes, validators and contracts along, which other simulations do not load.
  const { onChain, runExperimentOnChain } = await import("../simulation/onChain/runExperimentOnChain.ts");
  const columns = [...COLUMNS, ...CHAIN_COLUMNS];
  const results = await runAndPrint(onChain(experiment), options, columns, ({ signal, ...common }, tell) =>
    runExperimentOnChain(experiment, { ...common, signal, onStage: tell }),
  );
  if (results?.some(({ figures }) => figures.auditOk !== 1) !== true) return;
  process.stderr.write("An audit found false links; log.jsonl beside the results names them.\n");
  process.exitCode = EXIT.verificationFailed;
}

type Common = Omit<ChainExperimentOptions, "onStage">;

/** Runs, with progress, and prints results. Undefined where a signal ended it. */
async function runAndPrint(
  experiment: ExperimentConfig,
  options: SimulateOptions,
  columns: readonly Column[],
  run: (common: Common, tell: (text: string) => void) => Promise<CellResult[]>,
): Promise<CellResult[] | undefined> {
  let stoppedBy: StopSignal = "SIGINT";
  using stop = stopSignals((signal) => {
    stoppedBy = signal;
  });
  const bar = new ProgressLine(options.quiet === true);
  try {
    const common: Common = {
      results: options.results,
      dataRoot: options.data ?? defaultDataRoot(),
      again: options.again === true,
      acceptStale: options.acceptStale === true,
      onProgress: (progress) => bar.show(progress),
      signal: stop.signal,
    };
    const results = await run(common, (text) => bar.tell(text));
    bar.end();
    if (options.json === true) {
      printLine(toJson(results));
      return results;
    }
    printLine(`${experiment.title} (${experiment.seeds.length} seeds)\n`);
    const groups = groupsOf(results);
    const figures = columns === COLUMNS ? figuresTable(groups) : undefined;
    // Studies send nothing and have figures alone.
    const federations = results.some(({ traffic }) => traffic.uplinkBytes > 0);
    if (federations) printLine(tableOf(groups, columns));
    if (figures !== undefined) printLine(`${federations ? "\n" : ""}${figures}`);
    printLine(`\nResults: ${resultsPath(options.results, experiment.name)}`);
    printLine(`Look at them with: foedus report ${options.results}`);
    return results;
  } catch (error) {
    bar.end();
    if (!stop.signal.aborted) throw error;
    process.stderr.write(`Stopped. What had ended is kept; the same command goes on from there.\n`);
    process.exitCode = EXIT_CODES[stoppedBy];
    return undefined;
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

/** Heading, and what stands below it for a group; undefined where the group has nothing of it. */
type Column = readonly [heading: string, cell: (group: Group) => string | undefined];

const percentOf =
  (measure: Measure) =>
  (group: Group): string | undefined => {
    const spread = group.spread(measure);
    return spread && `${(100 * spread.mean).toFixed(1)} ± ${(100 * spread.std).toFixed(1)}`;
  };

const COLUMNS: readonly Column[] = [
  ["accuracy %", percentOf("accuracy")],
  ["members %", percentOf("clientMean")],
  ["their std", percentOf("clientStd")],
  ["worst", percentOf("clientWorst")],
  ["recall %", percentOf("detectionRecall")],
  ["false %", percentOf("detectionFalsePositives")],
];

const meanOf = ({ results }: Group, value: (result: CellResult) => number): number =>
  results.reduce((sum, result) => sum + value(result), 0) / results.length;

/** What only runs with chain and store have. */
const CHAIN_COLUMNS: readonly Column[] = [
  ["rounds", (group) => meanOf(group, ({ rounds }) => rounds.finalised).toFixed(1)],
  ["failed", (group) => meanOf(group, ({ rounds }) => rounds.failed).toFixed(1)],
  ["gas M", (group) => (meanOf(group, ({ figures }) => figures.gas ?? Number.NaN) / 1e6).toFixed(2)],
  [
    "audit",
    ({ results }) =>
      results.every(({ figures }) => figures.auditOk === 1)
        ? `ok, ${results.reduce((sum, { figures }) => sum + (figures.auditChecks ?? 0), 0)} checks`
        : "FALSE LINKS",
  ],
  ["seconds", (group) => meanOf(group, ({ seconds }) => seconds.total).toFixed(0)],
];

function tableOf(groups: readonly Group[], columns: readonly Column[]): string {
  const axes = Object.keys(groups[0]?.labels ?? {});
  const shown = columns.filter(([, cell]) => groups.some((group) => cell(group) !== undefined));
  return formatTable(
    [...axes, ...shown.map(([heading]) => heading), "uplink MB"],
    groups.map((group) => [
      ...axes.map((axis) => group.labels[axis] as string),
      ...shown.map(([, cell]) => cell(group) ?? "–"),
      (meanOf(group, ({ traffic }) => traffic.uplinkBytes) / 1e6).toFixed(2),
    ]),
  );
}

/** One line that moves on a terminal, and now and then a line elsewhere. */
class ProgressLine {
  readonly #quiet: boolean;
  #last = 0;
  #progress: ExperimentProgress | undefined;
  #stage = "";

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  /** What is going on in the cell that runs. */
  tell(stage: string): void {
    this.#stage = stage;
    if (this.#progress !== undefined) this.show(this.#progress);
  }

  show(progress: ExperimentProgress): void {
    if (this.#quiet) return;
    this.#progress = progress;
    const { cells, cellsDone, cellsFound, share, secondsLeft } = progress;
    const now = performance.now();
    const terminal = process.stderr.isTTY === true;
    if ((share < 1 || cellsDone < cells) && now - this.#last < (terminal ? 200 : 15_000)) return;
    this.#last = now;
    const left = secondsLeft === undefined ? "" : `, about ${duration(secondsLeft)} left`;
    const found = cellsFound === 0 ? "" : ` (${cellsFound} found)`;
    const text = `${cellsDone} of ${cells} cells${found}, ${Math.floor(100 * share)} % of the rounds${left}${this.#stage === "" ? "" : ` · ${this.#stage}`}`;
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
