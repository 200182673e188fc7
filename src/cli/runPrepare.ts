// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { printLine, toJson } from "./print.ts";

interface Options {
  readonly recipe: string;
  readonly store: string;
  readonly heldOut?: string;
  readonly heldOutScale?: number;
  readonly initSeed: string;
  readonly out: string;
  readonly json?: boolean;
}

/** `foedus run prepare` */
export function runPrepareCommand(): Command {
  return new Command("prepare")
    .description(
      "publish a run's recipe, initial model and public held-out set, and write the file that scripts/open-run.ts takes",
    )
    .requiredOption(
      "--recipe <file>",
      "YAML file with the recipe and, under `run`, the parameters on chain (docs/running-a-consortium.md)",
    )
    .requiredOption("--store <store>", "store to publish in, with a folder: 'helia:store?listen=…&swarmKey=swarm.key'")
    .option("--held-out <file>", "with exact scoring, the public held-out set: a dataset file, or CSV (.csv, .csv.gz)")
    .option("--held-out-scale <number>", "factor for the features of a CSV", Number)
    .requiredOption("--init-seed <text>", "seed of the initial model; anybody can make it again from this")
    .option("--out <file>", "file to write", "run.json")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ foedus run prepare --recipe recipe.yaml --store 'helia:store' --held-out held-out.csv --init-seed 1 --out run.json\n  $ foedus store serve --store 'helia:store?listen=/ip4/0.0.0.0/tcp/4001'     # until validators have fetched it\n  $ node scripts/open-run.ts run.json --network consortium",
    )
    .action(async (options: Options) => {
      const { prepareRunFile } = await import("./prepareRunFile.ts");
      const prepared = await prepareRunFile(options);
      if (options.json === true) return printLine(toJson(prepared));
      printLine(`recipe         ${prepared.recipeDigest}`);
      printLine(`initial model  ${prepared.initialModelRoot}`);
      printLine(`written to     ${options.out}`);
      for (const remark of prepared.remarks) printLine(`privacy        ${remark}`);
      printLine("Next step: keep the store served (`foedus store serve`), then open the run with scripts/open-run.ts.");
    });
}
