// SPDX-License-Identifier: Apache-2.0
import { blockKeyOf } from "./contentId.ts";
import { HeldObjects, type ServedBlocks } from "./heldObjects.ts";
import { MemoryShelf } from "./memoryShelf.ts";
import { PeerStore } from "./peerStore.ts";

/** Memory stores of one process that fetch from each other what each serves, as nodes do over a network. */
export class MemoryNetwork {
  readonly members = new Set<ServedBlocks>();
  /** Fetches that wait for somebody to serve something. */
  readonly waiting = new Set<() => void>();
  /** How often somebody did. */
  announcements = 0;
}

/**
 * A store in memory. Everything that is not the folder and the wire is the same code as in the Helia store: trees,
 * verification, leases, what is served.
 *
 * @param network Whom it exchanges with; alone when left out.
 */
export async function openMemoryStore(network: MemoryNetwork = new MemoryNetwork()): Promise<PeerStore> {
  const held = await HeldObjects.open(new MemoryShelf(), () => {});
  const own = held.servedBlocks;
  network.members.add(own);
  return new PeerStore(held, {
    session: (_root, signal) => ({
      async fetch(cid) {
        const key = blockKeyOf(cid);
        while (true) {
          const seen = network.announcements;
          for (const member of network.members) {
            const block = member === own ? undefined : await member.get(key);
            if (block !== undefined) return block;
          }
          // Not when something was served while we were asking round: it may have been this.
          if (network.announcements === seen) await nextAnnouncement(network, signal);
          signal.throwIfAborted();
        }
      },
      close() {},
    }),
    announce() {
      network.announcements++;
      for (const wake of network.waiting) wake();
    },
    describePeers: () => `${network.members.size - 1} other stores in this process`,
    async close() {
      network.members.delete(own);
    },
  });
}

/** Waits until some store of the network serves something more, or the signal. */
function nextAnnouncement(network: MemoryNetwork, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      network.waiting.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    if (signal.aborted) return resolve();
    network.waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}
