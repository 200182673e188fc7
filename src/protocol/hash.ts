// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { utf8 } from "./bytes.ts";

/** Keccak-256 as Ethereum uses it (not SHA3-256: another padding). */
export function keccak256(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes);
}

/** SHA-256 through the platform's library, several times faster than any JavaScript for model-sized inputs. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

const tags = new Map<string, Uint8Array>();

/** Domain tag: keccak256("foedus.v1." ‖ name). One per kind of hashed statement, so that no value can be read as another kind. */
export function tag(name: string): Uint8Array {
  let value = tags.get(name);
  if (value === undefined) {
    value = keccak256(utf8(`foedus.v1.${name}`));
    tags.set(name, value);
  }
  return value;
}
