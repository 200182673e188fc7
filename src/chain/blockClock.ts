// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";

interface Waiter {
  readonly block: number;
  readonly resolve: (block: number) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Waiting for blocks. All who wait on one clock share one poll, so a process asks its endpoint once per interval however many of its steps
 * wait, and not at all while none does.
 */
export class BlockClock {
  readonly #read: () => Promise<number>;
  readonly #pollingMs: number;
  readonly #waiters = new Set<Waiter>();
  #polling = false;
  #closedBy: Error | undefined;

  /** @param read number of the latest block that counts */
  constructor(read: () => Promise<number>, pollingMs: number) {
    this.#read = read;
    this.#pollingMs = pollingMs;
  }

  /** The first block number seen above `block`. Rejects with the signal's reason, or with the error of the endpoint. */
  async after(block: number, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    if (this.#closedBy !== undefined) throw this.#closedBy;
    return await new Promise((resolve, reject) => {
      const settle = <T>(action: (value: T) => void) => {
        return (value: T) => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener("abort", onAbort);
          action(value);
        };
      };
      const waiter: Waiter = { block, resolve: settle(resolve), reject: settle(reject) };
      const onAbort = () => waiter.reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
      if (!this.#polling) void this.#poll();
    });
  }

  /** Rejects everybody who waits, now and later. */
  close(reason: Error): void {
    this.#closedBy ??= reason;
    for (const waiter of [...this.#waiters]) waiter.reject(reason);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    while (this.#waiters.size > 0) {
      try {
        const block = await this.#read();
        for (const waiter of [...this.#waiters]) if (block > waiter.block) waiter.resolve(block);
      } catch (error) {
        for (const waiter of [...this.#waiters]) waiter.reject(error);
      }
      if (this.#waiters.size > 0) await sleep(this.#pollingMs);
    }
    this.#polling = false;
  }
}
