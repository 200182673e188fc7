// SPDX-License-Identifier: Apache-2.0
import { getAddress } from "ethers";
import { ConfigError } from "../protocol/errors.ts";
import type { LedgerAddresses } from "../protocol/ledger.ts";
import type { ChainEndpoint } from "./chainEndpoint.ts";
import { TRAINING_LEDGER } from "./contracts.ts";

/**
 * The contracts of the federation whose TrainingLedger is at an address, as that contract names them: what somebody needs who was told one
 * address and has no deployment file.
 *
 * @throws ConfigError when the text is no address. Whether the contracts are what they should be is for `connectLedger`.
 */
export async function federationAt(endpoint: ChainEndpoint, ledgerAddress: string): Promise<LedgerAddresses> {
  let trainingLedger: string;
  try {
    trainingLedger = getAddress(ledgerAddress);
  } catch (cause) {
    throw new ConfigError(
      `"${ledgerAddress}" is not the address of a contract; write 0x and 40 hexadecimal digits.`,
      { ledgerAddress },
      cause,
    );
  }
  const named = async (functionName: string): Promise<string> =>
    (await endpoint.view({ codec: TRAINING_LEDGER, to: trainingLedger, functionName, args: [] })) as string;
  const [consortium, proofOfTraining, shapleyRewards] = await Promise.all([
    named("consortium"),
    named("proofOfTraining"),
    named("shapleyRewards"),
  ]);
  return { consortium, trainingLedger, proofOfTraining, shapleyRewards };
}
