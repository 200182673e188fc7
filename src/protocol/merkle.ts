// SPDX-License-Identifier: Apache-2.0
import { concatBytes } from "./bytes.ts";
import { keccak256 } from "./hash.ts";

type Hash = (bytes: Uint8Array) => Uint8Array;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** RFC 6962 leaf hash: the prefix keeps a leaf from being read as an inner node. */
export function merkleLeaf(data: Uint8Array, hash: Hash = keccak256): Uint8Array {
  return hash(concatBytes(LEAF, data));
}

/**
 * RFC 6962 §2.1 root over leaf hashes: the left subtree takes the largest power of two smaller than the count. No leaves: hash of the
 * empty string.
 */
export function merkleRoot(leaves: readonly Uint8Array[], hash: Hash = keccak256): Uint8Array {
  if (leaves.length === 0) return hash(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hash(concatBytes(NODE, merkleRoot(leaves.slice(0, split), hash), merkleRoot(leaves.slice(split), hash)));
}
