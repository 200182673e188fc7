// SPDX-License-Identifier: Apache-2.0
import { CID } from "multiformats/cid";
import { type BlockKey, blockKeyOf, isSha256, RAW } from "../contentId.ts";
import type { ServedBlocks } from "../heldObjects.ts";
import { type BitswapMessage, encodeVarint, type Presence, type SentBlock, type WantEntry } from "./message.ts";

/** Delivers one message to a peer; rejects when it could not be handed to the connection. */
export type SendMessage = (message: BitswapMessage) => Promise<void>;

/** Wants of one peer that are remembered while we serve no such block. More than any honest peer has open. */
const MAX_REMEMBERED_WANTS = 8192;
/** Block bytes after which a message is closed; with one block of up to 1 MiB more it stays below every peer's limit. */
const MESSAGE_BLOCK_BYTES = 1 << 20;
const ATTEMPTS = 4;
const RETRY_MS = 100;

/**
 * One peer: what it wants of us, and what is on its way to it.
 *
 * Messages go one after another; what comes up meanwhile waits and travels together. A want and its cancellation that
 * meet while waiting annihilate. Blocks are read only when their turn has come, so a peer that asks for everything
 * costs one message of memory.
 */
export class PeerLink {
  readonly #served: ServedBlocks;
  readonly #send: SendMessage;
  /** Wants of the peer that we do not serve, to be answered if that changes. */
  readonly #theirs = new Map<BlockKey, { cid: CID; haveOnly: boolean }>();
  readonly #wants = new Map<BlockKey, WantEntry>();
  readonly #presences = new Map<BlockKey, Presence>();
  readonly #blocks = new Map<BlockKey, CID>();
  #sending = false;
  #closed = false;

  constructor(served: ServedBlocks, send: SendMessage) {
    this.#served = served;
    this.#send = send;
  }

  /** Takes in what the peer wants and withdraws. */
  receiveWants(message: Pick<BitswapMessage, "full" | "wants">): void {
    if (message.full) this.#theirs.clear();
    for (const want of message.wants) this.#receiveWant(want);
    this.#flush();
  }

  /** Answers those wants of the peer that can be answered now. */
  blocksServed(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const want = this.#theirs.get(key);
      if (want === undefined) continue;
      this.#theirs.delete(key);
      this.#offer(key, want.cid, want.haveOnly);
    }
    this.#flush();
  }

  /** Asks the peer for a block, or whether it has it. */
  want(key: BlockKey, cid: CID, ask: { haveOnly: boolean; sendDontHave: boolean }): void {
    this.#wants.set(key, { cid: cid.bytes, cancel: false, ...ask });
    this.#flush();
  }

  /** Tells the peer that a block it was asked for is no longer wanted. */
  cancel(key: BlockKey, cid: CID): void {
    const waiting = this.#wants.get(key);
    if (waiting?.cancel === false) this.#wants.delete(key);
    this.#wants.set(key, { cid: cid.bytes, cancel: true, haveOnly: false, sendDontHave: false });
    this.#flush();
  }

  close(): void {
    this.#closed = true;
    this.#theirs.clear();
    this.#wants.clear();
    this.#presences.clear();
    this.#blocks.clear();
  }

  #receiveWant(want: WantEntry): void {
    const cid = decodeCid(want.cid);
    if (cid === undefined) return;
    const key = blockKeyOf(cid);
    if (want.cancel) {
      this.#theirs.delete(key);
      this.#blocks.delete(key);
      return;
    }
    if (this.#served.has(key)) {
      this.#offer(key, cid, want.haveOnly);
      return;
    }
    this.#theirs.delete(key); // To the end of the order in which wants are forgotten.
    this.#theirs.set(key, { cid, haveOnly: want.haveOnly });
    if (this.#theirs.size > MAX_REMEMBERED_WANTS) this.#theirs.delete(this.#theirs.keys().next().value!);
    if (want.sendDontHave && this.#presences.size < MAX_REMEMBERED_WANTS)
      this.#presences.set(key, { cid: cid.bytes, have: false });
  }

  /**
   * Sends the block, or only that we have it when just that was asked. Inner nodes are sent either way: they have a few
   * kilobytes at most, and it saves whoever waits for an object a round trip.
   */
  #offer(key: BlockKey, cid: CID, haveOnly: boolean): void {
    if (haveOnly && cid.code === RAW) this.#presences.set(key, { cid: cid.bytes, have: true });
    else this.#blocks.set(key, cid);
  }

  #flush(): void {
    if (this.#sending || this.#closed) return;
    this.#sending = true;
    void this.#sendAll();
  }

  /** Never rejects. */
  async #sendAll(): Promise<void> {
    // Lets everything that comes up in the same turn of the event loop share a message.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#closed && this.#wants.size + this.#presences.size + this.#blocks.size > 0) {
      const message = await this.#nextMessage();
      for (let attempt = 1; !this.#closed && attempt <= ATTEMPTS; attempt++) {
        const sent = await this.#send(message).then(
          () => true,
          () => false,
        );
        // After the last attempt the message is dropped; whoever waits for its content asks again.
        if (sent) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt).unref());
      }
    }
    this.#sending = false;
  }

  async #nextMessage(): Promise<BitswapMessage> {
    const wants = [...this.#wants.values()];
    const presences = [...this.#presences.values()];
    this.#wants.clear();
    this.#presences.clear();
    const blocks: SentBlock[] = [];
    let bytes = 0;
    for (const [key, cid] of this.#blocks) {
      if (bytes >= MESSAGE_BLOCK_BYTES) break;
      this.#blocks.delete(key);
      const data = await this.#served.get(key).catch(() => undefined);
      if (data === undefined) continue;
      blocks.push({ prefix: prefixOf(cid), data });
      bytes += data.length;
    }
    return { full: false, wants, presences, blocks };
  }
}

/** A CID we may have the block of, or undefined: what a peer asks for is its own affair. */
export function decodeCid(bytes: Uint8Array): CID | undefined {
  try {
    const cid = CID.decode(bytes);
    return isSha256(cid) ? cid : undefined;
  } catch {
    return undefined;
  }
}

function prefixOf(cid: CID): Uint8Array {
  return Buffer.concat([cid.version, cid.code, cid.multihash.code, cid.multihash.digest.length].map(encodeVarint));
}
