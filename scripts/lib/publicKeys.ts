// SPDX-License-Identifier: Apache-2.0
import type { PublicKeys } from "../../src/chain/administration.ts";
import { readPublicKeys } from "../../src/chain/keys.ts";
import type { Hex } from "../../src/protocol/bytes.ts";
import { ConfigError } from "../../src/protocol/errors.ts";

/** Public keys of a participant: from its key file (no passphrase needed), or given one by one. */
export async function publicKeysFrom(options: {
  keys?: string;
  signer?: string;
  encryptionKey?: Hex;
}): Promise<PublicKeys> {
  if (options.keys !== undefined) {
    if (options.signer !== undefined || options.encryptionKey !== undefined) {
      throw new ConfigError("Give either --keys or --signer and --encryption-key, not both.");
    }
    const { address, encryptionPublicKey } = await readPublicKeys(options.keys);
    return { signer: address, encryptionKey: encryptionPublicKey };
  }
  if (options.signer === undefined || options.encryptionKey === undefined) {
    throw new ConfigError("Name the participant's key file with --keys, or give both --signer and --encryption-key.");
  }
  return { signer: options.signer, encryptionKey: options.encryptionKey };
}
