// SPDX-License-Identifier: Apache-2.0

/**
 * How many leaves all reads of a store may have under way at a time, so that many objects read at once take no more memory than a few.
 *
 * A slot comes back by itself after some time: a peer that does not answer, or a reader that takes no more, must not keep others from reading.
 * So what stalls costs memory as before, and time once.
 */
export class LeafSlots {
  readonly #patienceMs: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number, patienceMs: number) {
    this.#free = count;
    this.#patienceMs = patienceMs;
  }

  /** Waits for a slot, in the order of asking. @returns what gives it back; twice is once. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((turn) => this.#waiting.push(turn));
    let held = true;
    const give = (): void => {
      if (!held) return;
      held = false;
      clearTimeout(patience);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
    const patience = setTimeout(give, this.#patienceMs);
    return give;
  }
}
