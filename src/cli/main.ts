// SPDX-License-Identifier: Apache-2.0

/**
 * The `foedus` command. Each command is one file, which says what it takes and loads what it needs only when it runs, so that help and
 * mistakes are answered at once.
 */

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { EXIT } from "../protocol/errors.ts";
import { auditCommand } from "./audit.ts";
import { claimCommand } from "./claim.ts";
import { demoCommand } from "./demoCommand.ts";
import { printFailure } from "./failure.ts";
import { keysCommand } from "./keys.ts";
import { nodeCommand } from "./nodeStart.ts";
import { privacyCommand } from "./privacyCommand.ts";
import { reportCommand } from "./reportCommand.ts";
import { runPrepareCommand } from "./runPrepare.ts";
import { runShowCommand } from "./runShow.ts";
import { simulateCommand } from "./simulateCommand.ts";
import { storeCommand } from "./store.ts";
import { unlearnCommand } from "./unlearnCommand.ts";
import { validatorCommand } from "./validatorStart.ts";

/** Time for what was closed to end by itself, before the process is ended. */
const LINGER_MS = 3_000;

function versionOf(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string })
    .version;
}

function buildProgram(onVerbose: () => void): Command {
  const program = new Command("foedus")
    .description("Permissioned, blockchain-audited federated learning")
    .version(versionOf())
    .addCommand(nodeCommand())
    .addCommand(validatorCommand())
    .addCommand(auditCommand())
    .addCommand(
      new Command("run")
        .description("look at a training run, or prepare one")
        .addCommand(runShowCommand())
        .addCommand(runPrepareCommand()),
    )
    .addCommand(claimCommand())
    .addCommand(keysCommand())
    .addCommand(storeCommand())
    .addCommand(privacyCommand())
    .addCommand(simulateCommand())
    .addCommand(reportCommand())
    .addCommand(unlearnCommand())
    .addCommand(demoCommand())
    .addHelpText(
      "after",
      `
Exit codes: 0 ok, 1 verification failed or refused, 2 usage or configuration, 3 chain or store unreachable.
Examples:
  $ foedus keys create --out keys.json
  $ foedus node start --config node.yaml
  $ foedus audit --rpc http://127.0.0.1:8545 --store http://127.0.0.1:8080 --deployment deployment.json --run 1`,
    );
  prepare(program, onVerbose);
  return program;
}

/** What all commands have alike: --verbose, errors thrown rather than the process ended, and the way to their help. */
function prepare(command: Command, onVerbose: () => void): void {
  command.exitOverride().showHelpAfterError(`(\`${pathOf(command)} --help\` shows how to use it)`);
  command.option("--verbose", "show where an error came from").on("option:verbose", onVerbose);
  for (const child of command.commands) prepare(child, onVerbose);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

async function main(args: readonly string[]): Promise<void> {
  let verbose = false;
  const program = buildProgram(() => {
    verbose = true;
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    // Commander has printed its own errors; help and version come as errors with exit code 0.
    process.exitCode =
      error instanceof CommanderError
        ? error.exitCode === 0
          ? EXIT.ok
          : EXIT.usage
        : printFailure(error, { verbose });
  }
  // Everything is closed; a library's forgotten timer must not hold the process.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

// A reader that has seen enough (`foedus … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

await main(process.argv.slice(2));
