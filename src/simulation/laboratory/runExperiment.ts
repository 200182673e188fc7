// SPDX-License-Identifier: Apache-2.0
import { Worker } from "node:worker_threads";
import { EXIT, FoedusError } from "../../protocol/errors.ts";
import type { CellConfig } from "./cellConfig.ts";
import type { CellResult } from "./cellResult.ts";
import { codeDigest } from "./codeDigest.ts";
import { type Cell, cellsOf, type ExperimentConfig } from "./experimentConfig.ts";
import { resultsPath, saveDefinition } from "./experimentFolder.ts";
import { ResultsFile } from "./resultsFile.ts";
import type { CellAnswer, CellOrder, WorkerSetting } from "./workerMessages.ts";

/** How far an experiment has come. */
export interface ExperimentProgress {
  readonly cellsDone: number;
  /** Of which were found from earlier. */
  readonly cellsFound: number;
  readonly cells: number;
  /** Work done in this run, as a share of what this run has to do. */
  readonly share: number;
  /** Seconds until the end at the speed so far; undefined until there is one. */
  readonly secondsLeft: number | undefined;
}

export interface CellOptions {
  /** Folder for results; the experiment's are in a folder of its name. */
  readonly results: string;
  readonly dataRoot: string;
  /** Run every cell again, whatever is there. */
  readonly again?: boolean;
  /** Take results that other sources made for fresh. */
  readonly acceptStale?: boolean;
  readonly onProgress?: (progress: ExperimentProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ExperimentOptions extends CellOptions {
  readonly threads: number;
}

/** Runs cells, tells how far they are, and hands over each result as soon as it is there. */
export type CellRunner = (
  waiting: readonly Cell[],
  progress: CellProgress,
  save: (result: CellResult) => Promise<void>,
) => Promise<void>;

/** What a runner tells of its cells. */
export interface CellProgress {
  /** A round of a cell has ended. */
  round(id: string, round: number): void;
  /** A cell has ended. */
  done(): void;
}

/**
 * Runs the cells of an experiment that have no fresh result, each on one of `threads` worker threads, and returns all results in the order of
 * the cells. Results are on disk as soon as a cell has ended, so a run that is broken off goes on where it was.
 *
 * @throws FoedusError CELL_FAILED naming the cell, after what was running has ended; its siblings' results are kept.
 */
export async function runExperiment(experiment: ExperimentConfig, options: ExperimentOptions): Promise<CellResult[]> {
  return runCells(experiment, options, codeDigest(), (waiting, progress, save) =>
    runOnWorkers(experiment.name, waiting, options, progress, save),
  );
}

/** Runs the cells without a fresh result by `run`; what is there, and what comes, is in the results file. @param code digest of fresh results. */
export async function runCells(
  experiment: ExperimentConfig,
  options: CellOptions,
  code: string,
  run: CellRunner,
): Promise<CellResult[]> {
  const cells = cellsOf(experiment);
  await saveDefinition(options.results, experiment);
  const file = await ResultsFile.open(resultsPath(options.results, experiment.name));
  try {
    const fresh = (cell: Cell): boolean => {
      const found = file.get(cell.id);
      return found !== undefined && options.again !== true && (options.acceptStale === true || found.code === code);
    };
    const waiting = cells.filter((cell) => !fresh(cell));
    const progress = new Progress(cells.length, waiting, options.onProgress);
    // The digest of before the run: what is edited meanwhile has not made these results.
    await run(waiting, progress, (result) => file.append({ ...result, code }));
    // Ids know nothing of names, which may have changed since.
    return cells.map((cell) => ({ ...(file.get(cell.id) as CellResult), labels: { ...cell.labels } }));
  } finally {
    await file.close();
  }
}

async function runOnWorkers(
  experiment: string,
  waiting: readonly Cell[],
  { dataRoot, threads, signal }: ExperimentOptions,
  progress: CellProgress,
  save: (result: CellResult) => Promise<void>,
): Promise<void> {
  // Seed by seed, since cells of one seed read the same data.
  const queue = waiting.toSorted((a, b) => a.seed - b.seed);
  const setting: WorkerSetting = { experiment, dataRoot };
  const work = async (): Promise<void> => {
    if (queue.length === 0) return;
    const worker = new CellWorker(setting, signal);
    try {
      for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
        const { id } = cell;
        const result = await worker.run(cell, (round) => progress.round(id, round));
        await save(result);
        progress.done();
      }
    } catch (error) {
      queue.length = 0;
      throw error;
    } finally {
      await worker.end();
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(threads, queue.length) }, work));
  signal?.throwIfAborted();
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** One worker thread, asked one cell at a time. */
class CellWorker {
  readonly #worker: Worker;
  readonly #signal: AbortSignal | undefined;

  constructor(setting: WorkerSetting, signal: AbortSignal | undefined) {
    this.#worker = new Worker(new URL("./cell.worker.ts", import.meta.url), { workerData: setting });
    this.#signal = signal;
  }

  run(cell: Cell, onRound: (round: number) => void): Promise<CellResult> {
    const { promise, resolve, reject } = Promise.withResolvers<CellResult>();
    const onMessage = (message: CellAnswer): void => {
      if (message.kind === "round") onRound(message.round);
      if (message.kind === "result") resolve(message.result);
      if (message.kind === "failure") reject(cellFailed(cell, message));
    };
    // The thread itself: out of memory, or ended without a word.
    const onError = (error: Error): void =>
      reject(cellFailed(cell, { code: undefined, message: error.message, stack: error.stack ?? "" }));
    const onExit = (code: number): void =>
      reject(cellFailed(cell, { code: undefined, message: `its thread ended with code ${code}`, stack: "" }));
    const onAbort = (): void => reject(this.#signal?.reason);
    this.#worker.on("message", onMessage);
    this.#worker.on("error", onError);
    this.#worker.on("exit", onExit);
    this.#signal?.addEventListener("abort", onAbort);
    if (this.#signal?.aborted === true) onAbort();
    const order: CellOrder = { cell };
    this.#worker.postMessage(order);
    return promise.finally(() => {
      this.#worker.off("message", onMessage);
      this.#worker.off("error", onError);
      this.#worker.off("exit", onExit);
      this.#signal?.removeEventListener("abort", onAbort);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** CELL_FAILED, naming the cell. */
export function cellFailed(
  cell: Cell,
  { code, message, stack }: { readonly code: string | undefined; readonly message: string; readonly stack: string },
): FoedusError {
  const { id, labels, seed } = cell;
  return new FoedusError("CELL_FAILED", `The cell ${describe(cell)} failed: ${message}`, {
    // What was foreseen is the experiment's fault; anything else a defect.
    exitCode: code === undefined ? EXIT.verificationFailed : EXIT.usage,
    values: { cell: id, labels, seed, cause: code, stack },
  });
}

function describe({ labels, seed }: Cell): string {
  return [...Object.entries(labels).map(([axis, choice]) => `${axis} ${choice}`), `seed ${seed}`].join(", ");
}

/** Counts rounds, weighed alike whatever they cost. */
class Progress implements CellProgress {
  readonly #cells: number;
  readonly #found: number;
  readonly #rounds = new Map<string, number>();
  readonly #total: number;
  readonly #tell: ((progress: ExperimentProgress) => void) | undefined;
  readonly #started = performance.now();
  #done = 0;

  constructor(cells: number, waiting: readonly Cell[], tell: ((progress: ExperimentProgress) => void) | undefined) {
    this.#cells = cells;
    this.#found = cells - waiting.length;
    this.#total = waiting.reduce((sum, { config }) => sum + roundsOf(config), 0);
    this.#tell = tell;
    this.#report();
  }

  round(id: string, round: number): void {
    this.#rounds.set(id, round);
    this.#report();
  }

  done(): void {
    this.#done += 1;
    this.#report();
  }

  #report(): void {
    if (this.#tell === undefined) return;
    const rounds = [...this.#rounds.values()].reduce((sum, round) => sum + round, 0);
    const share = this.#total === 0 ? 1 : rounds / this.#total;
    const seconds = (performance.now() - this.#started) / 1000;
    this.#tell({
      cells: this.#cells,
      cellsFound: this.#found,
      cellsDone: this.#found + this.#done,
      share,
      secondsLeft: share > 0 && seconds > 1 ? (seconds / share) * (1 - share) : undefined,
    });
  }
}

/** A study counts as one. */
function roundsOf(config: CellConfig): number {
  return "study" in config ? 1 : config.rounds;
}
