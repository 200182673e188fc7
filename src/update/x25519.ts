// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { ConfigError } from "../protocol/errors.ts";

/** DER around a raw key (RFC 8410): node:crypto takes no bare 32 bytes. */
const PKCS8_HEADER = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_HEADER = Buffer.from("302a300506032b656e032100", "hex");

export const KEY_BYTES = 32;

function privateKeyOf(raw: Uint8Array): ReturnType<typeof createPrivateKey> {
  if (raw.length !== KEY_BYTES) throw new ConfigError(`An X25519 private key has 32 bytes, got ${raw.length}.`);
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, raw]), format: "der", type: "pkcs8" });
}

/** The X25519 public key (32 bytes) of a private key (any 32 bytes; clamped as RFC 7748 says). */
export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeyOf(privateKey)).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(SPKI_HEADER.length));
}

/**
 * The X25519 shared secret, or undefined where it is zero, which happens for every private key if `publicKey` is one of the few points of
 * low order: whoever registers such a key shares nothing with anybody.
 *
 * @param publicKey any 32 bytes; the top bit is ignored (RFC 7748 §5).
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES)
    throw new ConfigError(`An X25519 public key has 32 bytes, got ${publicKey.length}.`);
  const key = privateKeyOf(privateKey);
  const peer = createPublicKey({ key: Buffer.concat([SPKI_HEADER, publicKey]), format: "der", type: "spki" });
  try {
    return new Uint8Array(diffieHellman({ privateKey: key, publicKey: peer }));
  } catch {
    // With both keys well-formed, OpenSSL's derivation has one way to fail: the all-zero check of RFC 7748 §6.1.
    return undefined;
  }
}
