// SPDX-License-Identifier: Apache-2.0
import type { Libp2p, PeerId } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { StoreConfigInvalid } from "./errors.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 15_000;
const DIAL_TIMEOUT_MS = 5_000;

/** @throws StoreConfigInvalid when the text is not a multiaddr. */
export function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new StoreConfigInvalid(
      `"${text}" is not a multiaddr; a peer is written like /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo….`,
      { address: text },
      cause,
    );
  }
}

/**
 * Keeps connections to the configured peers: dials each, waits twice as long after each failure, dials again at once
 * when one is lost. Nobody else is ever dialled.
 */
export class PeerDialer {
  readonly #libp2p: Libp2p;
  readonly #onFailure: (address: string, cause: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #loops = new Map<string, Promise<void>>();
  readonly #wakeups = new Set<() => void>();
  readonly #onDisconnect = (): void => {
    for (const wake of this.#wakeups) wake();
  };

  constructor(libp2p: Libp2p, onFailure: (address: string, cause: unknown) => void) {
    this.#libp2p = libp2p;
    this.#onFailure = onFailure;
    libp2p.addEventListener("peer:disconnect", this.#onDisconnect);
  }

  /** Keeps this address connected from now on. */
  keep(address: Multiaddr): void {
    const key = address.toString();
    if (!this.#loops.has(key)) this.#loops.set(key, this.#keepConnected(address));
  }

  async stop(): Promise<void> {
    this.#libp2p.removeEventListener("peer:disconnect", this.#onDisconnect);
    this.#stopping.abort();
    await Promise.all(this.#loops.values());
  }

  /** Never rejects. */
  async #keepConnected(address: Multiaddr): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let peer: PeerId | undefined;
    while (!this.#stopping.signal.aborted) {
      if (peer !== undefined && this.#libp2p.getConnections(peer).length > 0) {
        await this.#sleep(LONGEST_PAUSE_MS);
        continue;
      }
      try {
        const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
        peer = (await this.#libp2p.dial(address, { signal })).remotePeer;
        pauseMs = FIRST_PAUSE_MS;
      } catch (cause) {
        if (this.#stopping.signal.aborted) return;
        this.#onFailure(address.toString(), cause);
        await this.#sleep(pauseMs, { untilDisconnect: false });
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Until the time is over, the dialer stops, or (unless told otherwise) some peer disconnects. */
  #sleep(milliseconds: number, { untilDisconnect = true } = {}): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopping.signal.aborted) return resolve();
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakeups.delete(wake);
        this.#stopping.signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds).unref();
      if (untilDisconnect) this.#wakeups.add(wake);
      this.#stopping.signal.addEventListener("abort", wake, { once: true });
    });
  }
}
