// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { deploymentOption, keyOption, passphraseFileOption, rpcOption, runOption } from "./options.ts";
import { printLine, toJson } from "./print.ts";

interface Options {
  readonly config?: string;
  readonly rpc?: string;
  readonly deployment?: string;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly run?: bigint;
  readonly json?: boolean;
}

/** `foedus claim` */
export function claimCommand(): Command {
  return new Command("claim")
    .description("claim a member's reward of a settled run (a running node does it by itself)")
    .option("--config <file>", "the node's YAML file; or name the rest:")
    .addOption(rpcOption())
    .addOption(deploymentOption())
    .addOption(keyOption("the member's key file"))
    .addOption(passphraseFileOption())
    .addOption(runOption())
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ foedus claim --config node.yaml\n  $ foedus claim --rpc http://127.0.0.1:8545 --deployment deployment.json --key keys.json --run 1",
    )
    .action(async (options: Options) => claim(options));
}

async function claim(options: Options): Promise<void> {
  const [{ openKeyFile, readPassphrase }, { connectLedger }, { ConfigError, FoedusError }] = await Promise.all([
    import("../chain/keys.ts"),
    import("../chain/ledgerClient.ts"),
    import("../protocol/errors.ts"),
  ]);
  const place = await placeOf(options);
  const { signerPrivateKey: privateKey } = await openKeyFile(place.keyFile, await readPassphrase(place.passphrase));
  const ledger = await connectLedger({ rpcUrl: place.rpc, deploymentFile: place.deployment, privateKey });
  try {
    const { run } = place;
    const memberId = await ledger.memberIdOf(ledger.account);
    if (memberId === undefined)
      throw new ConfigError(
        `The key ${ledger.account} belongs to no member of this consortium. Use the key file that was admitted.`,
      );
    const { settled, ended } = await ledger.runView(run);
    if (!settled) {
      const state = ended
        ? "has ended and waits for its settlement, which validators send once the challenge window is over"
        : "has not ended";
      throw new FoedusError(
        "NOT_SETTLED",
        `Run ${run} ${state}. Claim when \`foedus run show\` says that it is settled.`,
        { values: { run } },
      );
    }
    const { reward, claimed } = await ledger.standingOf(run, memberId);
    const receipt = reward === 0n || claimed ? undefined : await ledger.claim(run);
    if (options.json === true)
      return printLine(toJson({ run, member: memberId, reward, alreadyClaimed: claimed, ...(receipt ?? {}) }));
    if (reward === 0n) return printLine(`Member ${memberId} has no reward in run ${run}.`);
    printLine(
      receipt === undefined
        ? `Member ${memberId} has claimed its reward of ${reward} before.`
        : `Member ${memberId} was paid ${reward}, by transaction ${receipt.transaction} in block ${receipt.block}.`,
    );
  } finally {
    ledger.close();
  }

  async function placeOf({ config, rpc, deployment, key, run, passphraseFile }: Options) {
    if (config !== undefined) {
      const { readNodeConfig } = await import("../node/options.ts");
      const node = await readNodeConfig(config);
      const { env: variable, file } = node.passphrase;
      return {
        rpc: rpc ?? node.rpc,
        deployment: deployment ?? node.deployment,
        keyFile: key ?? node.keyFile,
        run: run ?? node.run,
        passphrase: { variable, file: passphraseFile ?? file },
      };
    }
    if (rpc === undefined || deployment === undefined || key === undefined || run === undefined) {
      throw new ConfigError(
        "Name the node's configuration with --config, or all of --rpc, --deployment, --key and --run.",
      );
    }
    return { rpc, deployment, keyFile: key, run, passphrase: { file: passphraseFile } };
  }
}
