// SPDX-License-Identifier: Apache-2.0
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import type { CID } from "multiformats/cid";
import type { ContentId, ContentSource } from "../protocol/contentStore.ts";
import { contentIdOf } from "./contentId.ts";

/** What, besides the bytes, decides an object's name. */
export interface ImportParameters {
  /** Bytes in each leaf but the last. */
  readonly chunkBytes: number;
  /** Most children of a node. */
  readonly width: number;
}

/**
 * The parameters that everyone agrees on (design §3). With them, CIDv1, raw leaves and a root that is never reduced to
 * its single leaf, a name is always dag-pb with sha2-256, and 32 bytes of digest identify it. Changing any of them
 * renames every object of every past run. The same names as
 * `ipfs add --cid-version=1 --raw-leaves --chunker=size-1048576 --max-file-links=174` for objects of more than one leaf.
 */
export const IMPORT_PARAMETERS: ImportParameters = { chunkBytes: 1 << 20, width: 174 };

/** Receives each block of the tree once it is hashed, leaves before their parents. `bytes` may alias the source. */
export type BlockSink = (cid: CID, bytes: Uint8Array) => Promise<void>;

/**
 * Builds the UnixFS tree of a file and names it.
 *
 * Shape: leaves of exactly `chunkBytes` (the last may be shorter); while there is more than one node, or the only one
 * is a leaf, each run of `width` of them gets a parent. An empty file is a root without children.
 *
 * @param parameters Other than the agreed ones only in tests of the tree's shape.
 */
export async function importContent(
  source: ContentSource,
  sink: BlockSink,
  parameters: ImportParameters = IMPORT_PARAMETERS,
): Promise<ContentId> {
  const { cid } = await importBytes(
    source instanceof Uint8Array ? source : copied(source),
    {
      async put(cid: CID, bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<CID> {
        const block = bytes instanceof Uint8Array ? bytes : await joined(bytes);
        // The importer hashes a leaf of no bytes for an empty file and then does not link to it.
        if (block.length > 0) await sink(cid, block);
        return cid;
      },
    },
    {
      cidVersion: 1,
      rawLeaves: true,
      reduceSingleLeafToSelf: false,
      chunker: fixedSize({ chunkSize: parameters.chunkBytes }),
      layout: balanced({ maxChildrenPerNode: parameters.width }),
      // The default keeps 50 leaves in memory.
      blockWriteConcurrency: 4,
    },
  );
  return contentIdOf(cid);
}

/** Name of the bytes; nothing is kept. */
export function nameOf(source: ContentSource, parameters: ImportParameters = IMPORT_PARAMETERS): Promise<ContentId> {
  return importContent(source, async () => {}, parameters);
}

/** The importer keeps references to what a source yields, and sources may reuse their buffers. */
async function* copied(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of source) yield new Uint8Array(chunk);
}

async function joined(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  return Buffer.concat(chunks);
}
