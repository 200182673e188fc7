// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from "node:os";
import { Command } from "commander";
import { integerAtLeast } from "./options.ts";

export interface SimulateOptions {
  readonly results: string;
  readonly data?: string;
  readonly threads: number;
  readonly again?: boolean;
  readonly acceptStale?: boolean;
  readonly list?: boolean;
  readonly chain?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `foedus simulate` */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description("run an experiment: federations in one process, over recipes, data, attacks and seeds")
    .argument("<experiment>", "experiment file (YAML)")
    .option("--results <folder>", "folder for results", "results")
    .option("--data <folder>", "folder with real data sets (default: FOEDUS_DATA, or data)")
    .option("--threads <number>", "cells at a time", integerAtLeast(1), availableParallelism())
    .option(
      "--chain",
      "run the cells as real nodes and validators with chain and store, one after the other; results NAME-on-chain",
    )
    .option("--again", "run cells again whose results are there")
    .option("--accept-stale", "keep results that another version of the sources made")
    .option("--list", "print the cells and do not run them")
    .option("--json", "print the results as one JSON array last on standard output")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      "\nA run that is broken off goes on where it was. Then look at it with `foedus report results/`.\n\nExamples:\n  $ foedus simulate experiments/s-fair.yaml\n  $ foedus simulate experiments/s-byz.yaml --list\n  $ foedus simulate mine.yaml --data /data --threads 8 --json\n  $ foedus simulate small.yaml --chain      # docs/simulating.md says what a real run cannot have",
    )
    .action(async (file: string, options: SimulateOptions) => {
      const { simulate } = await import("./simulate.ts");
      await simulate(file, options);
    });
}
