// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { deploymentOption, ledgerOption, rpcOption, runOption } from "./options.ts";
import { printLine, toJson } from "./print.ts";

interface Options {
  readonly rpc: string;
  readonly deployment?: string;
  readonly ledger?: string;
  readonly run: bigint;
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** `foedus run show` */
export function runShowCommand(): Command {
  return new Command("show")
    .description("print how a run stands: its rounds, and its members' reputation, contribution and reward")
    .addOption(rpcOption().makeOptionMandatory())
    .addOption(deploymentOption())
    .addOption(ledgerOption())
    .addOption(runOption().makeOptionMandatory())
    .option("--json", "print JSON")
    .option("--watch", "print again whenever something has changed, until the run is settled")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus run show --rpc http://127.0.0.1:8545 --deployment deployment.json --run 1\n  $ foedus run show --rpc http://127.0.0.1:8545 --ledger 0x… --run 1 --watch\n\nThis is what one endpoint says; `foedus audit` recomputes it.",
    )
    .action(async (options: Options) => showRun(options));
}

async function showRun(options: Options): Promise<void> {
  const [{ openLedger }, { observeRun }, { formatRun }, { stopSignals, untilStopped }] = await Promise.all([
    import("./openLedger.ts"),
    import("./observeRun.ts"),
    import("./formatRun.ts"),
    import("./stopSignals.ts"),
  ]);
  const ledger = await openLedger(options);
  using stop = stopSignals(() => {});
  try {
    await untilStopped(stop, async () => {
      let printed = "";
      for (;;) {
        const block = await ledger.blockNumber();
        const observed = await observeRun(ledger, options.run);
        const { block: _, ...lasting } = observed;
        // The block alone is no news.
        const state = toJson(lasting);
        if (state !== printed)
          printLine(`${clearScreen(options)}${options.json === true ? toJson(observed) : formatRun(observed)}`);
        printed = state;
        if (options.watch !== true || observed.settled) return;
        await ledger.waitForBlockAfter(block, stop.signal);
      }
    });
  } finally {
    ledger.close();
  }
}

function clearScreen({ watch, json }: Options): string {
  return watch === true && json !== true && process.stdout.isTTY === true ? "\u001b[H\u001b[2J" : "";
}
