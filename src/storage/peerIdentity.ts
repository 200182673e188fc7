// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { StoreConfigInvalid } from "./errors.ts";
import { writeDurably } from "./folderShelf.ts";

/** A network identity that lives as long as the process. */
export function temporaryIdentity(): Promise<PrivateKey> {
  return generateKeyPair("Ed25519");
}

/**
 * The network identity of a store folder (`identity.key`, readable by the owner only), made on first use. Peers list a
 * node by it, so it stays over restarts. It names a store, not a member: members sign with other keys.
 */
export async function identityOf(folder: string): Promise<PrivateKey> {
  const path = join(folder, "identity.key");
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const key = await temporaryIdentity();
    await writeDurably(path, privateKeyToProtobuf(key), 0o600);
    return key;
  }
  try {
    return privateKeyFromProtobuf(bytes);
  } catch (cause) {
    throw new StoreConfigInvalid(
      `${path} is not a peer identity. Restore it from a backup, or remove it and tell the peers the new address.`,
      { path },
      cause,
    );
  }
}
