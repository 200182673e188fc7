// SPDX-License-Identifier: Apache-2.0
import { decode, type PBNode } from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import type { CID } from "multiformats/cid";
import type { ContentId } from "../protocol/contentStore.ts";
import { DAG_PB, isSha256, RAW, toCid } from "./contentId.ts";
import { ContentMismatch, ContentTooLarge } from "./errors.ts";
import { IMPORT_PARAMETERS, type ImportParameters } from "./importContent.ts";

/** Gives the block of a link; has verified that the bytes hash to it. */
export type BlockOf = (cid: CID) => Promise<Uint8Array>;

/** Leaves asked for ahead of the one being consumed: hides a round trip, costs this many chunks of memory. */
const READ_AHEAD = 4;

/**
 * Reads an object's leaves in order.
 *
 * The declared length fixes the whole tree (see `importContent`): how many levels, how many children of each node,
 * which of them are leaves and how long. Every block is held against that, so a hostile tree can be neither deeper,
 * wider nor longer than its root says, and the root is refused when it says more than `maxBytes`.
 *
 * @throws ContentTooLarge before anything but the root was fetched.
 * @throws ContentMismatch when a block does not fit the shape.
 */
export async function* readTree(
  contentId: ContentId,
  blockOf: BlockOf,
  maxBytes: number,
  parameters: ImportParameters = IMPORT_PARAMETERS,
): AsyncGenerator<Uint8Array> {
  const root = await readRoot(contentId, blockOf, parameters);
  if (root.bytes > maxBytes) throw new ContentTooLarge(contentId, maxBytes, root.bytes);
  const shape = new TreeShape(contentId, parameters);
  const pending: { leaf: Promise<Uint8Array>; bytes: number }[] = [];
  const consume = async ({ leaf, bytes }: { leaf: Promise<Uint8Array>; bytes: number }): Promise<Uint8Array> => {
    const block = await leaf;
    if (block.length !== bytes) throw shape.mismatch(`a leaf has ${block.length} bytes instead of ${bytes}`);
    return block;
  };
  for await (const link of leavesUnder(root.links, root.level, root.bytes, shape, blockOf)) {
    const leaf = blockOf(link.cid);
    leaf.catch(() => {}); // Whether anyone will still wait for it is not known yet.
    pending.push({ leaf, bytes: link.bytes });
    if (pending.length >= READ_AHEAD) yield await consume(pending.shift()!);
  }
  for (const next of pending) yield await consume(next);
}

/** All blocks of an object, reading its inner nodes only. Same errors as `readTree`. */
export async function listTree(
  contentId: ContentId,
  blockOf: BlockOf,
  parameters: ImportParameters = IMPORT_PARAMETERS,
): Promise<{ bytes: number; cids: CID[] }> {
  const cids: CID[] = [];
  const noting: BlockOf = (cid) => {
    cids.push(cid);
    return blockOf(cid);
  };
  const root = await readRoot(contentId, noting, parameters);
  const shape = new TreeShape(contentId, parameters);
  for await (const leaf of leavesUnder(root.links, root.level, root.bytes, shape, noting)) cids.push(leaf.cid);
  return { bytes: root.bytes, cids };
}

interface SizedLink {
  readonly cid: CID;
  /** Bytes of the file under this link, from the shape, not from what the node says. */
  readonly bytes: number;
}

async function* leavesUnder(
  links: readonly CID[],
  level: number,
  bytes: number,
  shape: TreeShape,
  blockOf: BlockOf,
): AsyncGenerator<SizedLink> {
  const span = shape.bytesUnderChild(level);
  for (const [i, cid] of links.entries()) {
    const childBytes = Math.min(span, bytes - i * span);
    if (level === 1) {
      yield { cid, bytes: childBytes };
    } else {
      const node = shape.decodeNode(await blockOf(cid), level - 1, childBytes);
      yield* leavesUnder(node, level - 1, childBytes, shape, blockOf);
    }
  }
}

/** Root of the tree: declared length, its level (1 when its children are leaves), its links. */
async function readRoot(
  contentId: ContentId,
  blockOf: BlockOf,
  parameters: ImportParameters,
): Promise<{ bytes: number; level: number; links: readonly CID[] }> {
  const shape = new TreeShape(contentId, parameters);
  const block = await blockOf(toCid(contentId));
  const bytes = shape.declaredBytes(block);
  const level = shape.levelOf(bytes);
  return { bytes, level, links: shape.decodeNode(block, level, bytes) };
}

/** What the pinned parameters say about a tree of given length. */
class TreeShape {
  readonly #contentId: ContentId;
  readonly #parameters: ImportParameters;

  constructor(contentId: ContentId, parameters: ImportParameters) {
    this.#contentId = contentId;
    this.#parameters = parameters;
  }

  mismatch(why: string): ContentMismatch {
    return new ContentMismatch(this.#contentId, undefined, why);
  }

  bytesUnderChild(level: number): number {
    let bytes = this.#parameters.chunkBytes;
    for (let i = 1; i < level; i++) bytes *= this.#parameters.width;
    return bytes;
  }

  /** Smallest level whose node spans the file; a root of level 1 holds leaves. */
  levelOf(bytes: number): number {
    let level = 1;
    while (this.bytesUnderChild(level + 1) < bytes) level++;
    return level;
  }

  declaredBytes(block: Uint8Array): number {
    const size = Number(this.#file(this.#node(block)).fileSize());
    if (!Number.isSafeInteger(size)) throw this.mismatch(`it declares ${size} bytes`);
    return size;
  }

  /** Children of a node that spans `bytes`, after holding their number and kind against the shape. */
  decodeNode(block: Uint8Array, level: number, bytes: number): readonly CID[] {
    const node = this.#node(block);
    const declared = Number(this.#file(node).fileSize());
    if (declared !== bytes) throw this.mismatch(`a node declares ${declared} bytes where ${bytes} belong`);
    const expected = Math.ceil(bytes / this.bytesUnderChild(level));
    if (node.Links.length !== expected)
      throw this.mismatch(`a node has ${node.Links.length} children instead of ${expected}`);
    const codec = level === 1 ? RAW : DAG_PB;
    return node.Links.map(({ Hash }) => {
      if (Hash.version !== 1 || Hash.code !== codec || !isSha256(Hash)) throw this.mismatch(`it links to ${Hash}`);
      return Hash as CID;
    });
  }

  #node(block: Uint8Array): PBNode {
    try {
      return decode(block);
    } catch (cause) {
      throw this.mismatch(`a node does not decode (${cause instanceof Error ? cause.message : String(cause)})`);
    }
  }

  #file(node: PBNode): UnixFS {
    if (node.Data === undefined) throw this.mismatch("a node is not UnixFS");
    let file: UnixFS;
    try {
      file = UnixFS.unmarshal(node.Data);
    } catch (cause) {
      throw this.mismatch(`a node is not UnixFS (${cause instanceof Error ? cause.message : String(cause)})`);
    }
    if (file.type !== "file") throw this.mismatch(`it is a UnixFS ${file.type}, not a file`);
    if (file.data !== undefined && file.data.length > 0) throw this.mismatch("a node holds file bytes itself");
    return file;
  }
}
