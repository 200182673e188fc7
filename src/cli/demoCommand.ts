// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { DEMO_DEFAULTS, type DemoOptions } from "../simulation/demoOptions.ts";
import { deviceOption, integerAtLeast } from "./options.ts";

/** Options of `foedus demo`: those of the federation, and how it is told. */
export interface DemoCommandOptions extends DemoOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `foedus demo` */
export function demoCommand(): Command {
  return new Command("demo")
    .description("run a whole federation on this machine (chain, members, validators, faults), settle it and audit it")
    .option("--rounds <number>", "rounds to finalise", integerAtLeast(1), DEMO_DEFAULTS.rounds)
    .option("--nodes <number>", "members", integerAtLeast(1), DEMO_DEFAULTS.nodes)
    .option("--validators <number>", "validators", integerAtLeast(1), DEMO_DEFAULTS.validators)
    .option("--seed <text>", "seed of data dealing, keys and batches", DEMO_DEFAULTS.seed)
    .option("--out <folder>", "folder for report and model", DEMO_DEFAULTS.out)
    .option("--processes", "every node and validator as a process of its own", DEMO_DEFAULTS.processes)
    .addOption(deviceOption().default(DEMO_DEFAULTS.device))
    .option("--json", "print one summary object last on standard output")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus demo\n  $ foedus demo --rounds 3 --seed other --json\n  $ foedus demo --processes --out /tmp/demo\n  $ foedus demo --device cpu",
    )
    .action(async (options: DemoCommandOptions) => {
      const { demo } = await import("./demo.ts");
      process.exitCode = await demo(options);
    });
}
