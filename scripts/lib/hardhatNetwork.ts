// SPDX-License-Identifier: Apache-2.0
import { HDNodeWallet, Mnemonic } from "ethers";
import type { Hex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";

/** A network of hardhat.config.ts as scripts use it. */
export interface HardhatNetwork {
  readonly rpcUrl: string;
  /** Private key of an account of the network; asked for only when a transaction is to be sent. */
  privateKey(index: number): Promise<Hex>;
}

/**
 * Looks a network up in hardhat.config.ts.
 * @throws ConfigError when there is none of that name, it is simulated (and would end with the script), or a variable it names is not set.
 */
export async function hardhatNetwork(name: string): Promise<HardhatNetwork> {
  // Loaded only when a network of the configuration is named; scripts with --rpc start faster without it.
  const { createHardhatRuntimeEnvironment, importUserConfig, resolveHardhatConfigPath } = await import("hardhat/hre");
  const path = await resolveHardhatConfigPath();
  const environment = await createHardhatRuntimeEnvironment(await importUserConfig(path), { config: path });
  const networks = environment.config.networks;
  const network = networks[name];
  const usable = Object.keys(networks).filter((key) => networks[key]?.type === "http");
  if (network?.type !== "http") {
    throw new ConfigError(
      `${network === undefined ? "There is no network" : "The network is simulated within one process:"} "${name}". Networks of hardhat.config.ts for scripts: ${usable.join(", ")}.`,
      { network: name, usable },
    );
  }
  const { accounts } = network;
  return {
    rpcUrl: await resolved(name, () => network.url.getUrl()),
    privateKey: async (index) => {
      if (accounts === "remote") {
        throw new ConfigError(
          `Network "${name}" has no accounts in hardhat.config.ts. Name an encrypted key file with --key-file.`,
          { network: name },
        );
      }
      if (Array.isArray(accounts)) {
        const account = accounts[index];
        if (account === undefined)
          throw new ConfigError(`Network "${name}" has ${accounts.length} accounts; there is no number ${index}.`);
        return (await resolved(name, () => account.getHexString())) as Hex;
      }
      const phrase = Mnemonic.fromPhrase(await accounts.mnemonic.get(), await accounts.passphrase.get());
      return HDNodeWallet.fromMnemonic(phrase, accounts.path).deriveChild(accounts.initialIndex + index)
        .privateKey as Hex;
    },
  };
}

async function resolved(network: string, get: () => Promise<string>): Promise<string> {
  try {
    return await get();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`A variable of network "${network}" cannot be read: ${reason}`, { network }, cause);
  }
}
