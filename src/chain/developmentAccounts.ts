// SPDX-License-Identifier: Apache-2.0
import { HDNodeWallet, Mnemonic } from "ethers";
import type { Hex } from "../protocol/bytes.ts";

/** The phrase that Hardhat, Anvil and Ganache use: everybody knows these keys, so they are worth nothing outside a development chain. */
export const DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk";

/** Chains on which known keys, development verifiers and mock tokens are allowed. */
export const DEVELOPMENT_CHAIN_IDS: readonly bigint[] = [31337n, 1337n];

export function isDevelopmentChain(chainId: bigint): boolean {
  return DEVELOPMENT_CHAIN_IDS.includes(chainId);
}

export interface DevelopmentAccount {
  readonly address: string;
  readonly privateKey: Hex;
}

/** The first `count` accounts of the development phrase, the same ones that `hardhat node` funds. */
export function developmentAccounts(count: number): DevelopmentAccount[] {
  const parent = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(DEVELOPMENT_MNEMONIC), "m/44'/60'/0'/0");
  return Array.from({ length: count }, (_, index) => {
    const { address, privateKey } = parent.deriveChild(index);
    return { address, privateKey: privateKey as Hex };
  });
}
