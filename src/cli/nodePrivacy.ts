// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { formatTable, printLine, toJson } from "./print.ts";

/** `foedus node privacy` */
export function nodePrivacyCommand(): Command {
  return new Command("privacy")
    .description(
      "show what a member has revealed of its data in private runs, from its privacy ledger; the node may be running",
    )
    .requiredOption("--config <file>", "the node's YAML file")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ foedus node privacy --config node.yaml")
    .action(async ({ config, json = false }: { config: string; json?: boolean }) => showPrivacy(config, json));
}

async function showPrivacy(file: string, json: boolean): Promise<void> {
  const [{ readNodeConfig }, { privacyFiles }, { readLedger }, { entryDigest }, { spendingOf }] = await Promise.all([
    import("../node/options.ts"),
    import("../node/privacyFiles.ts"),
    import("../privacy/readLedger.ts"),
    import("../privacy/ledgerEntry.ts"),
    import("../privacy/spending.ts"),
  ]);
  const { ledger } = privacyFiles(await readNodeConfig(file));
  const entries = await readLedger(ledger);
  const spending = spendingOf(entries);
  const last = entries.at(-1);
  const head = last === undefined ? undefined : entryDigest(last);
  if (json) return printLine(toJson({ ledger, entries: entries.length, head: head ?? null, spending }));
  if (last === undefined) return printLine(`Nothing has been charged: ${ledger} has no entries.`);
  printLine(
    formatTable(
      ["protects", "neighbours", "epsilon", "delta", "budget", "rounds", "rounds left"],
      spending.map(({ unit, relation, epsilon, delta, budget, rounds, roundsLeft }) => [
        unit === "client" ? "all data" : "one record",
        relation,
        epsilon.toFixed(4),
        String(delta),
        String(budget),
        String(rounds),
        String(roundsLeft),
      ]),
    ),
  );
  printLine();
  printLine(`last entry  round ${last.round} of run ${last.run}, ${last.federation}`);
  printLine(`its digest  ${head}`);
  printLine(`ledger      ${ledger} (${entries.length} entries; back it up after every round)`);
}
