// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { CID } from "multiformats/cid";
import { type BlockKey, blockKeyOf } from "../contentId.ts";
import type { Presence, SentBlock } from "./message.ts";
import { decodeCid } from "./peerLink.ts";

/** The part of a peer that the want-list speaks to; `PeerLink` is one. */
export interface Askable {
  want(key: BlockKey, cid: CID, ask: { haveOnly: boolean; sendDontHave: boolean }): void;
  cancel(key: BlockKey, cid: CID): void;
}

/** Name of a peer. */
export type PeerName = string;

export interface FetchedBlock {
  readonly bytes: Uint8Array;
  readonly from: PeerName;
}

/** How long a peer that said it has a block may take to send it before the next is asked. */
const STALL_MS = 3_000;
/** When peers are first asked again for a block that nobody has, since a message may have been lost; then twice as late. */
const ASK_AGAIN_MS = 1_000;
const LONGEST_SILENCE_MS = 16_000;

interface Want {
  readonly key: BlockKey;
  readonly cid: CID;
  readonly waiters: Set<{ resolve(block: FetchedBlock): void }>;
  /** Peers that were told of this want and should hear that it is over. */
  readonly told: Set<PeerName>;
  /** Peers that have the block and have not been asked for it. */
  readonly offers: Set<PeerName>;
  /** The peer that the block itself was asked of. */
  asked: PeerName | undefined;
  timer: NodeJS.Timeout | undefined;
  askAgainMs: number;
}

/**
 * What we want from peers.
 *
 * All are asked whether they have a block; the first that has is asked to send it, the next if that one stalls, takes it
 * back or leaves. So a block crosses the wire once, however many serve it. A peer that connects later hears of every
 * open want at once, and a want stays open until it is answered or given up, which the peers are then told.
 */
export class WantList {
  readonly #links = new Map<PeerName, Askable>();
  readonly #wants = new Map<BlockKey, Want>();

  /**
   * Waits for a block.
   *
   * @param preferred Peer to ask first, and alone; usually the one that sent the parent node.
   * @returns bytes that hash to `cid`. Rejects with the signal's reason only.
   */
  fetch(cid: CID, signal: AbortSignal, preferred?: PeerName): Promise<FetchedBlock> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const key = blockKeyOf(cid);
      let want = this.#wants.get(key);
      const isNew = want === undefined;
      want ??= {
        key,
        cid,
        waiters: new Set(),
        told: new Set(),
        offers: new Set(),
        asked: undefined,
        timer: undefined,
        askAgainMs: ASK_AGAIN_MS,
      };
      const settled = want;
      const waiter = {
        resolve(block: FetchedBlock): void {
          signal.removeEventListener("abort", onAbort);
          resolve(block);
        },
      };
      const onAbort = (): void => {
        settled.waiters.delete(waiter);
        if (settled.waiters.size === 0) this.#end(settled, undefined);
        reject(signal.reason);
      };
      want.waiters.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
      if (!isNew) return;
      this.#wants.set(key, want);
      if (preferred !== undefined && this.#links.has(preferred)) this.#askFor(want, preferred);
      else this.#askAround(want);
    });
  }

  peerConnected(peer: PeerName, link: Askable): void {
    this.#links.set(peer, link);
    for (const want of this.#wants.values()) {
      want.told.delete(peer); // What an earlier connection was told is forgotten on the other side.
      if (want.asked === peer) want.asked = undefined;
      this.#askWhether(want, peer, link);
    }
  }

  peerDisconnected(peer: PeerName): void {
    this.#links.delete(peer);
    for (const want of this.#wants.values()) {
      want.told.delete(peer);
      want.offers.delete(peer);
      if (want.asked === peer) this.#askNext(want);
    }
  }

  receivePresences(peer: PeerName, presences: readonly Presence[]): void {
    for (const presence of presences) {
      const cid = decodeCid(presence.cid);
      const want = cid === undefined ? undefined : this.#wants.get(blockKeyOf(cid));
      if (want === undefined) continue;
      if (!presence.have) {
        want.offers.delete(peer);
        if (want.asked === peer) this.#askNext(want);
      } else if (want.asked === undefined) {
        this.#askFor(want, peer);
      } else if (want.asked !== peer) {
        want.offers.add(peer);
      }
    }
  }

  /** Takes in what was wanted; the rest is dropped. A block's name is computed here, whatever the peer calls it. */
  receiveBlocks(peer: PeerName, blocks: readonly SentBlock[]): void {
    for (const { data } of blocks) {
      if (this.#wants.size === 0) return;
      const want = this.#wants.get(createHash("sha256").update(data).digest("hex") as BlockKey);
      if (want === undefined) continue;
      // Copied, or the block would keep the whole message in memory.
      const block = { bytes: new Uint8Array(data), from: peer };
      const waiters = [...want.waiters];
      this.#end(want, peer);
      for (const waiter of waiters) waiter.resolve(block);
    }
  }

  /** Number of open wants. */
  get size(): number {
    return this.#wants.size;
  }

  get peers(): number {
    return this.#links.size;
  }

  #askAround(want: Want): void {
    for (const [peer, link] of this.#links) this.#askWhether(want, peer, link);
    this.#startTimer(want, want.askAgainMs);
    want.askAgainMs = Math.min(2 * want.askAgainMs, LONGEST_SILENCE_MS);
  }

  #askWhether(want: Want, peer: PeerName, link: Askable): void {
    want.told.add(peer);
    link.want(want.key, want.cid, { haveOnly: true, sendDontHave: false });
  }

  #askFor(want: Want, peer: PeerName): void {
    const link = this.#links.get(peer);
    if (link === undefined) return; // Its greeting, or the timer, takes the want up again.
    want.asked = peer;
    want.offers.delete(peer);
    want.told.add(peer);
    link.want(want.key, want.cid, { haveOnly: false, sendDontHave: true });
    this.#startTimer(want, STALL_MS);
  }

  /** The one asked has failed: the next that has it, else everybody again. */
  #askNext(want: Want): void {
    want.asked = undefined;
    const [next] = want.offers;
    if (next === undefined) this.#askAround(want);
    else this.#askFor(want, next);
  }

  #startTimer(want: Want, milliseconds: number): void {
    clearTimeout(want.timer);
    want.timer = setTimeout(() => this.#askNext(want), milliseconds).unref();
  }

  #end(want: Want, deliveredBy: PeerName | undefined): void {
    clearTimeout(want.timer);
    this.#wants.delete(want.key);
    for (const peer of want.told) {
      if (peer !== deliveredBy) this.#links.get(peer)?.cancel(want.key, want.cid);
    }
  }
}
