// SPDX-License-Identifier: Apache-2.0
import { access } from "node:fs/promises";
import { computeAddress } from "ethers";
import { deployFederation } from "../src/chain/deploy.ts";
import { writeDeployment } from "../src/chain/deployment.ts";
import { readPublicKeys } from "../src/chain/keys.ts";
import { ConfigError } from "../src/protocol/errors.ts";
import { addressOption, chainScript, type NetworkOptions, positiveNumber, runScript, withChain } from "./lib/script.ts";

interface Options extends NetworkOptions {
  readonly validatorKeys: string[];
  readonly admin?: string;
  readonly capacity: number[];
  readonly developmentToken?: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

const command = chainScript(
  "deploy",
  "Deploys a federation's contracts with its first validator set, and writes where they are.",
  [
    "--network localhost --validator-keys keys/v1.json keys/v2.json keys/v3.json keys/v4.json --development-token",
    "--rpc https://chain.example --key-file keys/deployer.json --admin 0x… --validator-keys keys/v*.json --out deployments/example.json",
  ],
)
  .requiredOption("--validator-keys <files...>", "key files of the first validators (public part), in order of index")
  .option("--admin <address>", "who admits members and opens runs (default: the deployer)", addressOption)
  .option(
    "--capacity <numbers...>",
    "loss circuits to deploy verifiers for",
    (text, all: number[]) => [...all, positiveNumber(text)],
    [],
  )
  .option("--development-token", "also deploy a token that anybody can mint (development chains only)")
  .option("--out <file>", "deployment file to write (default: as --deployment)")
  .option("--force", "overwrite an existing deployment file");

await runScript<Options>(command, async (options) => {
  return await withChain(options, async (chain) => {
    const file = options.out ?? chain.deploymentFile;
    if (options.force !== true && (await exists(file))) {
      throw new ConfigError(
        `${file} exists already. Another deployment there would be lost: choose --out, or say --force.`,
        { file },
      );
    }
    const deployerKey = await chain.privateKey();
    const validators = await Promise.all(
      options.validatorKeys.map(async (path) => {
        const { address, encryptionPublicKey } = await readPublicKeys(path);
        return { signer: address, encryptionKey: encryptionPublicKey };
      }),
    );
    const deployment = await deployFederation({
      endpoint: chain.endpoint,
      deployerKey,
      admin: options.admin ?? computeAddress(deployerKey),
      validators,
      ...(options.capacity.length === 0 ? {} : { verifierCapacities: options.capacity }),
      developmentToken: options.developmentToken === true,
    });
    await writeDeployment(file, deployment);
    const { addresses, verifiers, token, blocks, chainId } = deployment;
    return {
      json: { file, chainId, addresses, verifiers, ...(token === undefined ? {} : { token }), blocks },
      text: [
        `chain ${chainId}, blocks ${blocks.first} to ${blocks.last}, ${validators.length} validators`,
        ...Object.entries(addresses).map(([name, address]) => `${name.padEnd(17)} ${address}`),
        ...Object.entries(verifiers).map(
          ([capacity, address]) => `${`verifier for ${capacity}`.padEnd(17)} ${address}`,
        ),
        ...(token === undefined ? [] : [`${"development token".padEnd(17)} ${token}`]),
        `written to        ${file}`,
      ],
    };
  });
});

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
