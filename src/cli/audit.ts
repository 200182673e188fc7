// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { AuditReport } from "../audit/auditRun.ts";
import {
  deploymentOption,
  integerAtLeast,
  keyOption,
  ledgerOption,
  parseRun,
  parseUrl,
  parseWord,
  passphraseFileOption,
} from "./options.ts";
import { printLine, toJson } from "./print.ts";

interface Options {
  readonly rpc: readonly string[];
  readonly store: string;
  readonly deployment?: string;
  readonly ledger?: string;
  readonly run: bigint;
  readonly round?: number;
  readonly head?: `0x${string}`;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly model?: string;
  readonly artifacts?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

/** `foedus audit` */
export function auditCommand(): Command {
  return new Command("audit")
    .description("replay a run from chain and store alone, and name every link of its evidence that is false")
    .requiredOption(
      "--rpc <url>",
      "JSON-RPC endpoint; given twice, the two must agree on the head",
      (url: string, all: readonly string[] = []) => [...all, parseUrl(url)],
    )
    .requiredOption(
      "--store <store>",
      "gateway (http://host:port) or IPFS peers ('helia:?peers=/ip4/…/p2p/…&swarmKey=swarm.key')",
    )
    .requiredOption("--run <id>", "the training run", parseRun)
    .addOption(deploymentOption())
    .addOption(ledgerOption())
    .option("--round <t>", "up to this round only, without the settlement", integerAtLeast(1))
    .option("--head <hash>", "the head h^t from somewhere else than the endpoint; the replay must end in it", parseWord)
    .addOption(keyOption("key file of a registered auditor or validator: the sealed losses are opened as well"))
    .addOption(passphraseFileOption())
    .option("--model <file>", "a model.safetensors that should be a checkpoint of this run")
    .option("--artifacts <folder>", "verification keys of the loss circuits (default: build/circuits)")
    .option("--timeout <seconds>", "patience for one object of the store", integerAtLeast(1), 60)
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      `
Examples:
  $ foedus audit --rpc http://127.0.0.1:8545 --store http://127.0.0.1:8080 --deployment deployment.json --run 1
  $ foedus audit --rpc https://a.example --rpc https://b.example --store http://127.0.0.1:8080 --ledger 0x… --run 1
  $ foedus audit --rpc … --store … --deployment … --run 1 --round 4 --head 0x… --key auditor.json --json

Exit codes: 0 every link holds; 1 a link is false; 3 chain or store cannot be reached. docs/auditing.md explains the links.`,
    )
    .action(async (options: Options) => audit(options));
}

async function audit(options: Options): Promise<void> {
  const { EXIT } = await import("../protocol/errors.ts");
  const { runAudit } = await import("./runAudit.ts");
  const report = await runAudit({ ...options, timeoutMs: options.timeout * 1_000, onProgress: progressLine() });
  if (options.json === true) printLine(toJson(report.report));
  else {
    const { formatAudit } = await import("./formatAudit.ts");
    printLine(formatAudit(report));
  }
  process.exitCode = exitCodeOf(report.report, EXIT);
}

function exitCodeOf(report: AuditReport, exit: { ok: number; verificationFailed: number }): number {
  return report.ok ? exit.ok : exit.verificationFailed;
}

/** One line that is written over, at a terminal; elsewhere nothing. */
function progressLine(): (text: string) => void {
  if (process.stderr.isTTY !== true) return () => {};
  return (text) => process.stderr.write(`\r\u001b[2K${text}`);
}
