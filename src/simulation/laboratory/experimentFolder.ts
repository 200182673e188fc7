// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../protocol/errors.ts";
import type { CellResult } from "./cellResult.ts";
import { cellsOf, type ExperimentConfig, parseExperiment } from "./experimentConfig.ts";
import { readResults } from "./resultsFile.ts";

const DEFINITION = "experiment.json";
const RESULTS = "results.jsonl";

/** Where the results of an experiment are. */
export function resultsPath(results: string, experiment: string): string {
  return join(results, experiment, RESULTS);
}

/** Keeps beside the results what they are results of. */
export async function saveDefinition(results: string, experiment: ExperimentConfig): Promise<void> {
  await mkdir(join(results, experiment.name), { recursive: true });
  await writeFile(join(results, experiment.name, DEFINITION), `${JSON.stringify(experiment, null, 1)}\n`);
}

/** An experiment with the results of its cells that are there. */
export interface FinishedExperiment {
  readonly experiment: ExperimentConfig;
  readonly results: readonly CellResult[];
  /** Cells without a result. */
  readonly missing: number;
}

/**
 * All experiments in a results folder, or the one whose own folder it is, by name.
 *
 * @throws ConfigError where there is none.
 */
export async function readExperiments(folder: string): Promise<readonly FinishedExperiment[]> {
  const names = await readdir(folder).catch((cause: Error) => {
    throw new ConfigError(
      `${folder} is no folder with results (${cause.message}); \`foedus simulate\` makes one.`,
      { folder },
      cause,
    );
  });
  const folders = names.includes(DEFINITION)
    ? [folder]
    : names.sort((a, b) => (a < b ? -1 : 1)).map((name) => join(folder, name));
  const finished: FinishedExperiment[] = [];
  for (const path of folders) {
    if (!(await isThere(join(path, DEFINITION))) || !(await isThere(join(path, RESULTS)))) continue;
    const file = join(path, DEFINITION);
    const experiment = parseExperiment(JSON.parse(await readFile(file, "utf8")), file);
    const byId = new Map((await readResults(join(path, RESULTS))).map((result) => [result.id, result]));
    const cells = cellsOf(experiment);
    const results = cells.flatMap(({ id, labels }) => {
      const result = byId.get(id);
      return result === undefined ? [] : [{ ...result, labels: { ...labels } }];
    });
    if (results.length > 0) finished.push({ experiment, results, missing: cells.length - results.length });
  }
  if (finished.length === 0)
    throw new ConfigError(`${folder} has no results of an experiment; \`foedus simulate\` makes them.`, { folder });
  return finished;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
