// SPDX-License-Identifier: Apache-2.0

/** A turn among those who read. */
export interface ReadSlot {
  /** Something came: the reader's patience begins anew. */
  renew(): void;
  /** Lets the next one read; twice is once. */
  give(): void;
}

/**
 * How many objects a store reads at a time, so that many that are asked for at once take no more memory than a few.
 *
 * A slot comes back by itself when its reader gets on no more, or reads for long: a peer that stalls, or a reader that takes no more, must not
 * keep others from reading. It goes on without a slot; what stalls costs memory, and others' time once.
 */
export class ReadSlots {
  readonly #patienceMs: number;
  readonly #longestMs: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param patienceMs without a `renew`. @param longestMs in all. */
  constructor(count: number, patienceMs: number, longestMs: number) {
    this.#free = count;
    this.#patienceMs = patienceMs;
    this.#longestMs = longestMs;
  }

  /** Waits for a slot, in the order of asking. */
  async take(): Promise<ReadSlot> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((turn) => this.#waiting.push(turn));
    let held = true;
    const give = (): void => {
      if (!held) return;
      held = false;
      clearTimeout(patience);
      clearTimeout(longest);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
    let patience = setTimeout(give, this.#patienceMs);
    const longest = setTimeout(give, this.#longestMs);
    return {
      give,
      renew: () => {
        if (!held) return;
        clearTimeout(patience);
        patience = setTimeout(give, this.#patienceMs);
      },
    };
  }
}
