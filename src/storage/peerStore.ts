// SPDX-License-Identifier: Apache-2.0
import type { CID } from "multiformats/cid";
import type { ByteSource } from "../protocol/byteSource.ts";
import { concatBytes } from "../protocol/bytes.ts";
import {
  type ContentId,
  type ContentSource,
  type ContentStore,
  DEFAULT_GET_TIMEOUT_MS,
  type GetOptions,
  type Reclaimed,
} from "../protocol/contentStore.ts";
import { type BlockKey, blockKeyOf, RAW, toCid } from "./contentId.ts";
import { type Deadline, deadline } from "./deadline.ts";
import { ContentNotFound, ContentTimeout, StoreClosed } from "./errors.ts";
import type { HeldObjects, Lease } from "./heldObjects.ts";
import { IMPORT_PARAMETERS, importContent, nameOf } from "./importContent.ts";
import { type ReadSlot, ReadSlots } from "./readSlots.ts";
import { listTree, readTree } from "./readTree.ts";
import { verifyContent } from "./verifyContent.ts";

/** How blocks move between stores. Made with a view of the served blocks, it can give nothing else away. */
export interface BlockExchange {
  /** Connection to peers for the blocks of one object. */
  session(root: CID, signal: AbortSignal): BlockSession;
  /** These blocks have just become visible in the view: send them to whoever waits for them. */
  announce(keys: readonly BlockKey[]): void;
  /** Whom a `get` asks, in words, for the message of a timeout. */
  describePeers(): string;
  /** Leaves the network. Running fetches need not be answered any more. */
  close(): Promise<void>;
}

export interface BlockSession {
  /**
   * Waits for a peer to serve the block, indefinitely; the bytes hash to `cid`.
   * Rejects only when the session's signal aborts or the exchange closes.
   */
  fetch(cid: CID): Promise<Uint8Array>;
  close(): void;
}

/** Objects read at once; each has a few leaves of 1 MiB on their way, enough for the longest way to a peer. */
const READS_AT_ONCE = 8;
/** How long one of them may keep others waiting, in milliseconds: without a leaf, and in all. */
const READ_PATIENCE_MS = 1_000;
const LONGEST_READ_MS = 10_000;

/**
 * A content store made of what is held here and an exchange with peers. Memory and Helia stores differ in these two
 * parts only.
 */
export class PeerStore implements ContentStore {
  readonly holds = true;
  readonly #held: HeldObjects;
  readonly #exchange: BlockExchange;
  readonly #closing = new AbortController();
  readonly #slots = new ReadSlots(READS_AT_ONCE, READ_PATIENCE_MS, LONGEST_READ_MS);
  #closed: Promise<void> | undefined;

  constructor(held: HeldObjects, exchange: BlockExchange) {
    this.#held = held;
    this.#exchange = exchange;
  }

  cidOf(source: ContentSource): Promise<ContentId> {
    return nameOf(source);
  }

  async put(source: ContentSource): Promise<ContentId> {
    this.#refuseWhenClosed();
    const lease = this.#held.lease();
    try {
      let bytes = 0;
      const cid = await importContent(
        counting(source, (length) => {
          bytes += length;
        }),
        (blockCid, block) => lease.put(blockKeyOf(blockCid), block),
      );
      this.#refuseWhenClosed();
      await lease.record(cid, bytes);
      return cid;
    } finally {
      await lease.end();
    }
  }

  async serve(cid: ContentId): Promise<void> {
    this.#refuseWhenClosed();
    toCid(cid);
    this.#exchange.announce(await this.#held.serve(cid));
  }

  async serves(cid: ContentId): Promise<boolean> {
    toCid(cid);
    return this.#closed === undefined && this.#held.serves(cid);
  }

  async get(cid: ContentId, options: GetOptions): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.getStream(cid, options)) {
      chunks.push(chunk);
      length += chunk.length;
    }
    const bytes = new Uint8Array(length);
    let offset = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return bytes;
  }

  async *getStream(cid: ContentId, options: GetOptions): AsyncGenerator<Uint8Array> {
    this.#refuseWhenClosed();
    const root = toCid(cid);
    const { maxBytes, signal, timeoutMs = DEFAULT_GET_TIMEOUT_MS } = options;
    signal?.throwIfAborted();
    const limit = deadline(
      timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs,
      () => new ContentTimeout(cid, timeoutMs, this.#exchange.describePeers()),
      [signal, this.#closing.signal],
    );
    const lease = this.#held.lease();
    const session = timeoutMs === 0 ? undefined : this.#exchange.session(root, limit.signal);
    // Taken when the root is here: who waits for an object that nobody serves keeps nobody else waiting.
    let slot: Promise<ReadSlot> | undefined;
    const blockOf = async (link: CID): Promise<Uint8Array> => {
      if (link.code === RAW) {
        slot ??= this.#slots.take();
        await limit.race(slot);
      }
      return this.#block(cid, link, lease, session, limit);
    };
    try {
      let bytes = 0;
      const leaves = readTree(cid, blockOf, maxBytes);
      for await (const chunk of verifyContent(cid, leaves, maxBytes)) {
        bytes += chunk.length;
        // A copy: in memory the block itself would be in the consumer's hands.
        yield new Uint8Array(chunk);
        (await slot)?.renew();
      }
      this.#refuseWhenClosed();
      await lease.record(cid, bytes);
    } finally {
      limit.end();
      session?.close();
      slot?.then(({ give }) => give());
      await lease.end();
    }
  }

  async open(cid: ContentId): Promise<ByteSource> {
    this.#refuseWhenClosed();
    const length = this.#held.bytesOf(cid);
    const lease = this.#held.lease();
    try {
      const { cids } = await listTree(cid, async (link) => {
        const node = await lease.get(blockKeyOf(link));
        if (node === undefined) throw new ContentNotFound(cid, "complete in this store");
        return node;
      });
      const leaves = cids.filter(({ code }) => code === RAW).map(blockKeyOf);
      return { length, read: (offset, bytes) => this.#readLeaves(cid, leaves, offset, bytes) };
    } finally {
      await lease.end();
    }
  }

  async pin(cid: ContentId): Promise<void> {
    this.#refuseWhenClosed();
    toCid(cid);
    await this.#held.setPinned(cid, true);
  }

  async unpin(cid: ContentId): Promise<void> {
    this.#refuseWhenClosed();
    toCid(cid);
    await this.#held.setPinned(cid, false);
  }

  async has(cid: ContentId): Promise<boolean> {
    toCid(cid);
    return this.#held.has(cid);
  }

  async sizeOf(cid: ContentId): Promise<number> {
    toCid(cid);
    return this.#held.bytesOf(cid);
  }

  reclaim(): Promise<Reclaimed> {
    this.#refuseWhenClosed();
    return this.#held.reclaim();
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort(new StoreClosed());
      await this.#exchange.close();
    })();
    return this.#closed;
  }

  async #readLeaves(
    object: ContentId,
    leaves: readonly BlockKey[],
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const { chunkBytes } = IMPORT_PARAMETERS;
    const parts: Uint8Array[] = [];
    for (let at = offset; at < offset + length; ) {
      this.#refuseWhenClosed();
      const within = at % chunkBytes;
      const bytes = Math.min(chunkBytes - within, offset + length - at);
      const part = await this.#held.readBlock(leaves[Math.floor(at / chunkBytes)] as BlockKey, within, bytes);
      if (part === undefined) throw new ContentNotFound(object, "complete in this store any more");
      parts.push(part);
      at += bytes;
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts);
  }

  /** From the shelf, or from a peer and then onto the shelf, where only a lease knows of it until the whole is verified. */
  async #block(
    object: ContentId,
    link: CID,
    lease: Lease,
    session: BlockSession | undefined,
    limit: Deadline,
  ): Promise<Uint8Array> {
    const cause = limit.cause();
    if (cause !== undefined) throw cause;
    const key = blockKeyOf(link);
    const here = await lease.get(key);
    if (here !== undefined) return here;
    if (session === undefined) throw new ContentNotFound(object, "held by this store, and no peer was to be asked");
    const fetched = await limit.race(session.fetch(link));
    await lease.put(key, fetched);
    return fetched;
  }

  #refuseWhenClosed(): void {
    if (this.#closed !== undefined) throw new StoreClosed();
  }
}

function counting(source: ContentSource, add: (length: number) => void): ContentSource {
  if (source instanceof Uint8Array) {
    add(source.length);
    return source;
  }
  return (async function* () {
    for await (const chunk of source) {
      add(chunk.length);
      yield chunk;
    }
  })();
}
