// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import { ConfigError, DecodeError } from "../protocol/errors.ts";
import type { LedgerAddresses } from "../protocol/ledger.ts";
import type { Logger } from "../protocol/logger.ts";
import { ChainEndpoint, type ChainEndpointOptions } from "./chainEndpoint.ts";
import { CONSORTIUM, type ContractCodec, PROOF_OF_TRAINING, SHAPLEY_REWARDS, TRAINING_LEDGER } from "./contracts.ts";
import { readDeployment } from "./deployment.ts";
import { LedgerRevert } from "./errors.ts";
import { RpcLedgerReader } from "./ledgerReader.ts";
import { RpcLedgerWriter } from "./ledgerWriter.ts";

export type LedgerOptions = LedgerEndpoint & LedgerContracts & { readonly logger?: Logger | undefined };

/** An endpoint to connect to, or one that other clients of this process use already. */
export type LedgerEndpoint = ChainEndpointOptions | { readonly endpoint: ChainEndpoint };

/** The contracts' addresses, given or from the file that scripts/deploy.ts wrote (which also names the chain). */
export type LedgerContracts =
  | { readonly addresses: LedgerAddresses; readonly chainId?: bigint }
  | { readonly deploymentFile: string };

/** Blocks without the transaction after which it is offered again with higher fees, and after which waiting ends. */
interface Patience {
  readonly raiseAfterBlocks?: number;
  readonly giveUpAfterBlocks?: number;
}

/**
 * Connects to a federation on chain, after checking that the endpoint serves the right chain and that the addresses are the contracts they
 * are said to be. With a key the client can write, too. `close()` it, or the endpoint it was given, to let the process end.
 * @throws ChainUnreachable when nobody answers at the URL.
 * @throws ConfigError when the chain or an address is another's.
 */
export async function connectLedger(
  options: LedgerOptions & Patience & { readonly privateKey: Hex },
): Promise<RpcLedgerWriter>;
export async function connectLedger(options: LedgerOptions): Promise<RpcLedgerReader>;
export async function connectLedger(
  options: LedgerOptions & Patience & { readonly privateKey?: Hex },
): Promise<RpcLedgerReader> {
  const { addresses, chainId } = await contractsOf(options);
  const shared = "endpoint" in options;
  const endpoint = shared ? options.endpoint : await ChainEndpoint.connect(options);
  try {
    if (chainId !== undefined && chainId !== endpoint.chainId) {
      throw new ConfigError(
        `The endpoint serves chain ${endpoint.chainId}, but the contracts are on chain ${chainId}. Correct the RPC address.`,
        {
          expected: chainId,
          found: endpoint.chainId,
        },
      );
    }
    await requireContracts(endpoint, addresses);
  } catch (error) {
    if (!shared) endpoint.close();
    throw error;
  }
  return options.privateKey === undefined
    ? new RpcLedgerReader(endpoint, addresses)
    : new RpcLedgerWriter(endpoint, addresses, options.privateKey, options);
}

async function contractsOf(
  contracts: LedgerContracts,
): Promise<{ addresses: LedgerAddresses; chainId: bigint | undefined }> {
  if (!("deploymentFile" in contracts)) return { addresses: contracts.addresses, chainId: contracts.chainId };
  const { addresses, chainId } = await readDeployment(contracts.deploymentFile);
  return { addresses, chainId };
}

/** Which neighbours each contract names; together they tell the four apart and show that they belong together. */
const NEIGHBOURS = [
  { codec: TRAINING_LEDGER, at: "trainingLedger", getter: "consortium", is: "consortium" },
  { codec: TRAINING_LEDGER, at: "trainingLedger", getter: "proofOfTraining", is: "proofOfTraining" },
  { codec: TRAINING_LEDGER, at: "trainingLedger", getter: "shapleyRewards", is: "shapleyRewards" },
  { codec: PROOF_OF_TRAINING, at: "proofOfTraining", getter: "trainingLedger", is: "trainingLedger" },
  { codec: SHAPLEY_REWARDS, at: "shapleyRewards", getter: "trainingLedger", is: "trainingLedger" },
] as const satisfies readonly {
  codec: ContractCodec;
  at: keyof LedgerAddresses;
  getter: string;
  is: keyof LedgerAddresses;
}[];

async function requireContracts(endpoint: ChainEndpoint, addresses: LedgerAddresses): Promise<void> {
  const probe = async (codec: ContractCodec, at: keyof LedgerAddresses, functionName: string): Promise<unknown> => {
    try {
      return await endpoint.view({ codec, to: addresses[at], functionName, args: [] });
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof LedgerRevert)) throw error;
      throw new ConfigError(
        `There is no ${codec.name} at ${addresses[at]} on chain ${endpoint.chainId}. Use the deployment file of this chain.`,
        { address: addresses[at], contract: codec.name, chainId: endpoint.chainId },
        error,
      );
    }
  };
  await Promise.all([
    probe(CONSORTIUM, "consortium", "validatorSetVersion"),
    ...NEIGHBOURS.map(async ({ codec, at, getter, is }) => {
      const found = await probe(codec, at, getter);
      if (typeof found !== "string" || found.toLowerCase() !== addresses[is].toLowerCase()) {
        throw new ConfigError(
          `The ${codec.name} at ${addresses[at]} belongs to another ${is} (${String(found)}) than ${addresses[is]}.`,
          {
            address: addresses[at],
            expected: addresses[is],
            found,
          },
        );
      }
    }),
  ]);
}
