// SPDX-License-Identifier: Apache-2.0
/** `npm run bench`: lists the benches; `npm run bench -- <name> [options]` runs one. */
import { Command } from "commander";
import { aggregationCommand } from "./aggregation/command.ts";
import { laboratoryCommand } from "./laboratory/command.ts";
import { learningCommand } from "./learning/command.ts";

const program = new Command("npm run bench --")
  .description("Measures what the project promises. Without a name: what there is to measure.")
  .showHelpAfterError()
  .addCommand(aggregationCommand())
  .addCommand(learningCommand())
  .addCommand(laboratoryCommand());

if (process.argv.length <= 2) program.outputHelp();
else await program.parseAsync();
