// SPDX-License-Identifier: Apache-2.0
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { getAddress } from "ethers";
import { Administration } from "../../src/chain/administration.ts";
import { ChainEndpoint } from "../../src/chain/chainEndpoint.ts";
import { type Deployment, readDeployment } from "../../src/chain/deployment.ts";
import { openKeyFile, readPassphrase } from "../../src/chain/keys.ts";
import { connectLedger } from "../../src/chain/ledgerClient.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import { ConfigError, EXIT, FoedusError } from "../../src/protocol/errors.ts";
import { hardhatNetwork } from "./hardhatNetwork.ts";

/** What a script says: a value for programs (`--json`) and lines for people. */
export interface Said {
  readonly json: Record<string, unknown>;
  readonly text: readonly string[];
}

export interface NetworkOptions {
  readonly network?: string;
  readonly rpc?: string;
  readonly keyFile?: string;
  readonly passphraseFile?: string;
  readonly account: number;
  readonly deployment?: string;
  readonly json?: boolean;
}

/** A chain to work on, and the key to work with. */
export interface ScriptChain {
  readonly endpoint: ChainEndpoint;
  readonly privateKey: () => Promise<Hex>;
  /** Where this network's deployment file is, unless an option says otherwise. */
  readonly deploymentFile: string;
}

/** A script with the options that all scripts share. */
export function script(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .option("--json", "print one JSON value instead of text")
    .addHelpText(
      "after",
      `\nExamples:\n${examples.map((example) => `  node scripts/${name}.ts ${example}`).join("\n")}\n\nExit codes: 0 done, 1 refused by a contract or a check, 2 wrong options or files, 3 chain not reachable.\n`,
    );
}

/** A script that talks to a chain. */
export function chainScript(name: string, description: string, examples: readonly string[]): Command {
  return script(name, description, examples)
    .option("--network <name>", "network of hardhat.config.ts")
    .addOption(new Option("--rpc <url>", "JSON-RPC endpoint, instead of --network").conflicts("network"))
    .option(
      "--key-file <file>",
      "encrypted key file of the sender (scripts/keygen.ts), instead of an account of --network",
    )
    .option(
      "--passphrase-file <file>",
      "file whose first line is the key file's passphrase; default: the variable FOEDUS_PASSPHRASE",
    )
    .option("--account <index>", "account of --network that sends", naturalNumber, 0)
    .option("--deployment <file>", "deployment file (default: deployments/<network or chain id>.json)");
}

/** Parses the arguments, runs the action, prints what it says, and sets the exit code. */
export async function runScript<Options extends { json?: boolean }>(
  command: Command,
  action: (options: Options, args: readonly string[]) => Promise<Said>,
): Promise<void> {
  const json = process.argv.includes("--json");
  try {
    command.exitOverride().showHelpAfterError("(--help shows the options and examples)").parse();
    const said = await action(command.opts<Options>(), command.args);
    process.stdout.write(json ? `${toJson(said.json)}\n` : `${said.text.join("\n")}\n`);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    // commander has printed its own message.
    if (error instanceof CommanderError) return;
    const known = error instanceof FoedusError;
    if (json) {
      const { code, message, values } = known ? error : { code: "DEFECT", message: String(error), values: {} };
      process.stdout.write(`${toJson({ error: { code, message, values } })}\n`);
    } else {
      process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
}

/** Connects as the options say, and closes the connection after the action. */
export async function withChain<T>(options: NetworkOptions, action: (chain: ScriptChain) => Promise<T>): Promise<T> {
  if (options.network === undefined && options.rpc === undefined) {
    throw new ConfigError("Say which chain: --network NAME (of hardhat.config.ts) or --rpc URL.");
  }
  const network = options.network === undefined ? undefined : await hardhatNetwork(options.network);
  const endpoint = await ChainEndpoint.connect({ rpcUrl: network?.rpcUrl ?? (options.rpc as string) });
  try {
    return await action({
      endpoint,
      deploymentFile: options.deployment ?? `deployments/${options.network ?? endpoint.chainId}.json`,
      privateKey: async () => {
        if (options.keyFile !== undefined) {
          return (await openKeyFile(options.keyFile, await readPassphrase({ file: options.passphraseFile })))
            .signerPrivateKey;
        }
        if (network === undefined)
          throw new ConfigError("With --rpc, name the sender's encrypted key file: --key-file FILE.");
        return await network.privateKey(options.account);
      },
    });
  } finally {
    endpoint.close();
  }
}

/** As `withChain`, with the federation of the deployment file, whose contracts are checked to be there. */
export async function withFederation<T>(
  options: NetworkOptions,
  action: (admin: Administration, deployment: Deployment, chain: ScriptChain) => Promise<T>,
): Promise<T> {
  return await withChain(options, async (chain) => {
    const deployment = await readDeployment(chain.deploymentFile);
    await connectLedger({ endpoint: chain.endpoint, deploymentFile: chain.deploymentFile });
    return await action(
      new Administration(chain.endpoint, deployment.addresses, await chain.privateKey()),
      deployment,
      chain,
    );
  });
}

export function naturalNumber(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

export function positiveNumber(text: string): number {
  const value = naturalNumber(text);
  if (value === 0) throw new InvalidArgumentError("It must be at least 1.");
  return value;
}

export function wholeUnits(text: string): bigint {
  if (!/^(?:0|[1-9][0-9]{0,76})$/.test(text))
    throw new InvalidArgumentError("It must be a whole number of the smallest unit.");
  return BigInt(text);
}

export function addressOption(text: string): string {
  try {
    return getAddress(text);
  } catch {
    throw new InvalidArgumentError(
      "It must be an address: 0x and 40 hexadecimal digits, with a correct checksum if it has capitals.",
    );
  }
}

export function wordOption(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError("It must be 0x and 64 hexadecimal digits.");
  return text.toLowerCase() as Hex;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return error instanceof FoedusError ? error.exitCode : EXIT.verificationFailed;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner), 2);
}
