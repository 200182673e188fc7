// SPDX-License-Identifier: Apache-2.0
import { getCreateAddress, Interface } from "ethers";
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { Logger } from "../protocol/logger.ts";
import { type Artifact, readArtifact } from "./artifacts.ts";
import { ChainEndpoint } from "./chainEndpoint.ts";
import { PROOF_VERIFIER } from "./contracts.ts";
import type { Deployment } from "./deployment.ts";
import { isDevelopmentChain } from "./developmentAccounts.ts";
import { type MinedTransaction, TransactionSender } from "./transactionSender.ts";

export interface GenesisValidator {
  readonly signer: string;
  /** Raw X25519 public key. */
  readonly encryptionKey: Hex;
}

export interface DeployOptions {
  readonly endpoint: ChainEndpoint | { readonly rpcUrl: string };
  /** Pays for the deployment and has no rights afterwards. */
  readonly deployerKey: Hex;
  /** Address that admits members and opens runs. */
  readonly admin: string;
  /** The first validator set, in order of index. */
  readonly validators: readonly GenesisValidator[];
  /** Capacities of the loss circuits whose verifiers are deployed. */
  readonly verifierCapacities?: readonly number[];
  /** Deploys a token that anybody can mint. Development chains only. */
  readonly developmentToken?: boolean;
  /** Folder of compiled contracts. */
  readonly artifacts?: string;
  readonly logger?: Logger;
}

/**
 * Deploys a federation's contracts. They refer to each other by immutable addresses, so each is created at an address predicted from the
 * deployer's nonce; the last of them checks the wiring when it is created.
 * @throws ConfigError before anything is sent, when the contracts are not compiled or would deploy development keys on a real chain.
 * @throws LedgerRevert when a constructor refuses: no validators, two alike, …
 */
export async function deployFederation(options: DeployOptions): Promise<Deployment> {
  const given = options.endpoint;
  if (given instanceof ChainEndpoint) return await deployOn(given, options);
  const endpoint = await ChainEndpoint.connect(given);
  try {
    return await deployOn(endpoint, options);
  } finally {
    endpoint.close();
  }
}

async function deployOn(endpoint: ChainEndpoint, options: DeployOptions): Promise<Deployment> {
  const { chainId } = endpoint;
  const capacities = options.verifierCapacities ?? [8, 32];
  const artifact = async (name: string) => await readArtifact(name, options.artifacts);
  const [consortium, ledger, proofOfTraining, rewards, ...verifiers] = await Promise.all(
    [
      "Consortium",
      "TrainingLedger",
      "ProofOfTraining",
      "ShapleyRewards",
      ...capacities.map((capacity) => `ReportedLoss${capacity}`),
    ].map(artifact),
  );
  const token = options.developmentToken === true ? await artifact("TestToken") : undefined;
  refuseDevelopmentParts(chainId, verifiers, token);

  const sender = new TransactionSender(endpoint, options.deployerKey, { logger: options.logger });
  const firstNonce = await sender.nextNonce();
  const predicted = (offset: number) => getCreateAddress({ from: sender.account, nonce: firstNonce + offset });
  const addresses = {
    consortium: predicted(0),
    trainingLedger: predicted(1),
    proofOfTraining: predicted(2),
    shapleyRewards: predicted(3),
  };
  const validators = options.validators.map(({ signer, encryptionKey }) => ({ signer, encryptionKey }));
  const mined = await Promise.all([
    create(sender, consortium, [options.admin, validators], addresses.consortium),
    create(
      sender,
      ledger,
      [addresses.consortium, addresses.proofOfTraining, addresses.shapleyRewards],
      addresses.trainingLedger,
    ),
    create(
      sender,
      proofOfTraining,
      [addresses.consortium, addresses.trainingLedger, addresses.shapleyRewards],
      addresses.proofOfTraining,
    ),
  ]);
  // Only now, since its constructor asks the other three.
  const [last, tokenMined, ...verifiersMined] = await Promise.all([
    create(
      sender,
      rewards,
      [addresses.consortium, addresses.trainingLedger, addresses.proofOfTraining],
      addresses.shapleyRewards,
    ),
    token === undefined ? undefined : create(sender, token, []),
    ...verifiers.map(async (verifier) => await create(sender, verifier, [])),
  ]);
  const all = [...mined, last, ...verifiersMined, ...(tokenMined === undefined ? [] : [tokenMined])];
  return {
    version: 1,
    chainId,
    addresses,
    verifiers: Object.fromEntries(
      await Promise.all(
        verifiersMined.map(async (verifier, i) => [
          await capacityOf(endpoint, verifier, capacities[i] as number),
          addressOf(verifier),
        ]),
      ),
    ) as Record<string, string>,
    ...(tokenMined === undefined ? {} : { token: addressOf(tokenMined) }),
    blocks: { first: Math.min(...all.map(({ block }) => block)), last: Math.max(...all.map(({ block }) => block)) },
  };
}

/** The verifiers themselves refuse too; this says so before any gas is spent, and what to do. */
function refuseDevelopmentParts(chainId: bigint, verifiers: readonly Artifact[], token: Artifact | undefined): void {
  if (isDevelopmentChain(chainId)) return;
  const development = verifiers.filter(({ abi }) =>
    abi.some(({ type, name }) => type === "error" && String(name).endsWith("DevelopmentChainsOnly")),
  );
  if (development.length > 0) {
    const names = development.map(({ contractName }) => contractName).join(", ");
    throw new ConfigError(
      `${names}: compiled with the development keys, whose secrets are published; chain ${chainId} is not a development chain (31337, 1337). ` +
        "Make real keys with scripts/ceremony.ts and compile again.",
      { chainId, verifiers: names },
    );
  }
  if (token !== undefined) {
    throw new ConfigError(
      `The development token can be minted by anybody and is not deployed on chain ${chainId}. Name a real ERC-20 when opening a run.`,
      {
        chainId,
      },
    );
  }
}

async function create(
  sender: TransactionSender,
  artifact: Artifact | undefined,
  args: readonly unknown[],
  expected?: string,
): Promise<MinedTransaction> {
  if (artifact === undefined) throw new TypeError("artifact missing");
  const constructorData = new Interface(artifact.abi).encodeDeploy(args);
  const data = `${artifact.bytecode}${constructorData.slice(2)}` as Hex;
  const mined = await sender.send({ to: null, data }, `creation of ${artifact.contractName}`);
  if (expected !== undefined && addressOf(mined) !== expected) {
    throw new ConfigError(
      `${artifact.contractName} was created at ${addressOf(mined)} and not at ${expected}: the deployer's key is in use elsewhere. Deploy again with a key of its own.`,
      { expected, found: addressOf(mined) },
    );
  }
  return mined;
}

function addressOf(mined: MinedTransaction): string {
  if (mined.contractAddress === null)
    throw new ConfigError(`Transaction ${mined.transaction} has created no contract.`);
  return mined.contractAddress;
}

async function capacityOf(endpoint: ChainEndpoint, verifier: MinedTransaction, expected: number): Promise<number> {
  const found = await endpoint.view({
    codec: PROOF_VERIFIER,
    to: addressOf(verifier),
    functionName: "capacity",
    args: [],
  });
  if (found !== BigInt(expected))
    throw new ConfigError(
      `The verifier for ${expected} updates says that it has room for ${String(found)}. Run scripts/circuits.ts.`,
    );
  return expected;
}
