// SPDX-License-Identifier: Apache-2.0
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import type { ContentId } from "../protocol/contentStore.ts";
import { MalformedContentId } from "./errors.ts";

/** Multicodec of UnixFS nodes; every object's root is one, also of an empty object. */
export const DAG_PB = 0x70;
/** Multicodec of leaves: plain bytes. */
export const RAW = 0x55;
/** Multihash code and length of the one hash in use. */
export const SHA2_256 = 0x12;
export const DIGEST_BYTES = 32;

/**
 * Content id in its one accepted form.
 *
 * @throws MalformedContentId for CIDv0, other bases, codecs or hashes, and text that would decode but is not canonical.
 */
export function parseContentId(text: string): ContentId {
  if (!text.startsWith("b")) throw new MalformedContentId(text, "it must be CIDv1 in lower-case base32, bafy…");
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch (cause) {
    throw new MalformedContentId(text, "it does not decode", cause);
  }
  const canonical = contentIdOf(cid);
  // Base32 has spare bits at the end; two spellings of one id would be two keys.
  if (canonical !== text) throw new MalformedContentId(text, `the canonical spelling is ${canonical}`);
  return canonical;
}

/** Content id whose multihash digest the chain stores. @param digest 32 bytes, sha2-256 of the root node. */
export function contentIdFromDigest(digest: Uint8Array): ContentId {
  if (digest.length !== DIGEST_BYTES) {
    throw new MalformedContentId(
      Buffer.from(digest).toString("hex"),
      `a digest has ${DIGEST_BYTES} bytes, not ${digest.length}`,
    );
  }
  return CID.createV1(DAG_PB, Digest.create(SHA2_256, digest.slice())).toString() as ContentId;
}

/** The 32 bytes that the chain stores for this object. */
export function digestOf(contentId: ContentId): Uint8Array {
  return toCid(contentId).multihash.digest.slice();
}

/** The library's form of an id, for use inside this folder. Validates, since a cast may have made the string. */
export function toCid(contentId: ContentId): CID {
  return CID.parse(parseContentId(contentId));
}

/** Our form of the library's id of a root. @throws MalformedContentId when it is not of the accepted kind. */
export function contentIdOf(cid: CID): ContentId {
  const text = cid.toString();
  if (cid.version !== 1) throw new MalformedContentId(text, "it is CIDv0");
  if (cid.code !== DAG_PB)
    throw new MalformedContentId(text, `its codec is 0x${cid.code.toString(16)}, not dag-pb (0x70)`);
  if (!isSha256(cid)) throw new MalformedContentId(text, "its hash is not sha2-256 of 32 bytes");
  return text as ContentId;
}

export function isSha256(cid: CID): boolean {
  return cid.multihash.code === SHA2_256 && cid.multihash.digest.length === DIGEST_BYTES;
}

/**
 * Key of a block: its digest in hexadecimal. The codec is left out on purpose: equal bytes are one block whatever a
 * link calls them, as in every other IPFS block store.
 */
export type BlockKey = string & { readonly __brand: "BlockKey" };

export function blockKeyOf(cid: CID): BlockKey {
  return Buffer.from(cid.multihash.digest).toString("hex") as BlockKey;
}
