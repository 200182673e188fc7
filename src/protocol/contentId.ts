// SPDX-License-Identifier: Apache-2.0
import { concatBytes, fromHex, type Hex } from "./bytes.ts";
import type { ContentId } from "./contentStore.ts";

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
/** CIDv1, dag-pb, sha2-256, 32 bytes: the one form of name the protocol uses, so that the chain need keep only the digest. */
const PREFIX = Uint8Array.of(0x01, 0x70, 0x12, 0x20);

/** Name in the store of the object whose multihash digest the chain holds (multibase base32, `bafybei…`). */
export function contentIdOfDigest(digest: Hex): ContentId {
  let text = "b";
  let buffer = 0;
  let bits = 0;
  for (const byte of concatBytes(PREFIX, fromHex(digest, 32))) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(buffer >> bits) & 31];
      buffer &= (1 << bits) - 1;
    }
  }
  if (bits > 0) text += BASE32[(buffer << (5 - bits)) & 31];
  return text as ContentId;
}

/** The multihash digest of a content id of that form; the inverse of `contentIdOfDigest`. */
export function digestOfContentId(id: ContentId): Hex {
  let buffer = 0n;
  for (const character of id.slice(1)) buffer = (buffer << 5n) | BigInt(BASE32.indexOf(character));
  // 58 base32 characters hold 290 bits: 36 bytes and 2 bits of padding.
  const hex = (buffer >> 2n).toString(16).padStart(72, "0");
  return `0x${hex.slice(8)}`;
}
