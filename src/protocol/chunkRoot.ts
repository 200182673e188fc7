// SPDX-License-Identifier: Apache-2.0
import { sha256 } from "./hash.ts";
import { merkleRoot } from "./merkle.ts";

/** Bytes per chunk everywhere: files in the store, digests, streaming kernels. */
export const CHUNK_BYTES = 1_048_576;

const LEAF = Uint8Array.of(0);

/**
 * Digest of a file: RFC 6962 Merkle root with SHA-256 over its 1 MiB chunks, so that one chunk can be opened without the rest.
 * The empty file has the digest of the empty string (RFC 6962 §2.1).
 */
export function chunkRoot(bytes: Uint8Array): Uint8Array {
  const leaves: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    leaves.push(chunkLeaf(bytes.subarray(offset, offset + CHUNK_BYTES)));
  }
  return rootOfChunks(leaves);
}

/** Leaf of one chunk. */
export function chunkLeaf(chunk: Uint8Array): Uint8Array {
  return sha256(LEAF, chunk);
}

/** The digest of a file whose chunks have these leaves, in order. */
export function rootOfChunks(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(leaves, sha256);
}
