// SPDX-License-Identifier: Apache-2.0
import { ChainEndpoint } from "../chain/chainEndpoint.ts";
import { federationAt } from "../chain/federationAt.ts";
import { connectLedger } from "../chain/ledgerClient.ts";
import type { RpcLedgerReader } from "../chain/ledgerReader.ts";
import { ConfigError } from "../protocol/errors.ts";

/** Where a federation is on chain, as the command line says it. */
export interface LedgerPlace {
  readonly rpc: string;
  readonly deployment?: string | undefined;
  /** Address of the TrainingLedger. */
  readonly ledger?: string | undefined;
}

/** A reader of the federation; `close()` it. @throws ConfigError when neither file nor address is given; ChainUnreachable. */
export async function openLedger({ rpc: rpcUrl, deployment, ledger }: LedgerPlace): Promise<RpcLedgerReader> {
  if (deployment !== undefined) return connectLedger({ rpcUrl, deploymentFile: deployment });
  if (ledger === undefined)
    throw new ConfigError("Say where the contracts are: --deployment FILE, or --ledger ADDRESS.");
  const endpoint = await ChainEndpoint.connect({ rpcUrl });
  try {
    return await connectLedger({ endpoint, addresses: await federationAt(endpoint, ledger) });
  } catch (error) {
    endpoint.close();
    throw error;
  }
}
