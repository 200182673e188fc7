// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createOnnxNodeEngine } from "../../learning/engines/onnxNode.ts";
import { LogFile } from "../../process/logFile.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { CellResult } from "../laboratory/cellResult.ts";
import { cellsOf, type ExperimentConfig, parseExperiment } from "../laboratory/experimentConfig.ts";
import { resultsPath } from "../laboratory/experimentFolder.ts";
import { type CellOptions, cellFailed, runCells } from "../laboratory/runExperiment.ts";
import { chainDigest } from "./chainDigest.ts";
import { requireRealRuns } from "./requireRealRun.ts";
import { runCellOnChain } from "./runCellOnChain.ts";

/** What the name of an experiment gets when it runs with chain and store, so that nobody takes its results for the laboratory's. */
const SUFFIX = "-on-chain";

export interface ChainExperimentOptions extends CellOptions {
  readonly signal: AbortSignal;
  /** What the cell that runs is doing. */
  readonly onStage?: (text: string) => void;
}

/**
 * An experiment as it is kept when it runs with chain and store: under a name of its own, and without the row of acceptance, which is the laboratory's.
 *
 * @throws ConfigError for a name that leaves no room.
 */
export function onChain({ row: _, ...experiment }: ExperimentConfig): ExperimentConfig {
  const name = `${experiment.name}${SUFFIX}`;
  return parseExperiment(
    { ...experiment, name, title: `${experiment.title.slice(0, 170)} (with chain and store)` },
    name,
  );
}

/**
 * Runs an experiment's cells, one after the other, as federations of real nodes and validators on a chain of their own. Everything that they log is in
 * `log.jsonl` beside the results.
 *
 * @throws ConfigError for cells that cannot be real runs and a log that cannot be written, before any starts, or when a cell has ended whose log is
 * not complete; FoedusError CELL_FAILED.
 */
export async function runExperimentOnChain(
  experiment: ExperimentConfig,
  options: ChainExperimentOptions,
): Promise<CellResult[]> {
  const { results, dataRoot, signal, onStage } = options;
  requireRealRuns(cellsOf(experiment));
  const kept = onChain(experiment);
  const path = resultsPath(results, kept.name);
  await mkdir(dirname(path), { recursive: true });
  const log = await LogFile.open(join(dirname(path), "log.jsonl"), "a");
  const engine = await createOnnxNodeEngine({ threads: 1 });
  let ended: CellResult[];
  try {
    ended = await runCells(kept, options, chainDigest(), async (waiting, progress, save) => {
      for (const cell of requireRealRuns(waiting)) {
        signal.throwIfAborted();
        const onProgress = (text: string, finalised: number): void => {
          onStage?.(text);
          progress.round(cell.id, finalised);
        };
        const logger = loggerTo(log, cell.id);
        const result = await runCellOnChain(kept.name, cell, { engine, dataRoot, logger, signal, onProgress }).catch(
          (error: unknown) => {
            signal.throwIfAborted();
            throw cellFailed(cell, {
              code: error instanceof FoedusError ? error.code : undefined,
              message: error instanceof Error ? error.message : String(error),
              stack: error instanceof Error ? (error.stack ?? "") : "",
            });
          },
        );
        await save(result);
        progress.done();
        if (log.failure !== undefined) throw log.failure;
      }
    });
  } finally {
    await engine.dispose();
    await log.close();
  }
  if (log.failure !== undefined) throw log.failure;
  return ended;
}

/** What a cell logs, from `info` up. */
function loggerTo(log: LogFile, cell: string): Logger {
  const at = (level: string) => (fields: Record<string, unknown>, message: string) => {
    log.write({ cell, level, ...fields, message });
  };
  return { debug() {}, info: at("info"), warn: at("warn"), error: at("error") };
}
