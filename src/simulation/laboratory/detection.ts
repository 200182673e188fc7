// SPDX-License-Identifier: Apache-2.0
import type { RoundFacts } from "./simulateRound.ts";

/** How well a rule told attackers from honest members: an update that was refused or not kept counts as accused. */
export class Detection {
  readonly #attackers: ReadonlySet<number> | undefined;
  #caught = 0;
  #attacks = 0;
  #falselyAccused = 0;
  #honest = 0;

  constructor(attackers: ReadonlySet<number> | undefined) {
    this.#attackers = attackers;
  }

  add({ invited, kept, attacked, diverged }: RoundFacts): void {
    if (this.#attackers === undefined) return;
    const keptIds = new Set(kept);
    for (const { id } of invited) {
      // Nobody accused who sent nothing.
      if (diverged.has(id)) continue;
      const accused = !keptIds.has(id);
      if (attacked.has(id)) {
        this.#attacks += 1;
        if (accused) this.#caught += 1;
      } else if (!this.#attackers.has(id)) {
        this.#honest += 1;
        if (accused) this.#falselyAccused += 1;
      }
    }
  }

  result(): { detectionRecall: number | null; detectionFalsePositives: number | null } {
    return {
      detectionRecall: this.#attacks === 0 ? null : this.#caught / this.#attacks,
      detectionFalsePositives:
        this.#attackers === undefined || this.#honest === 0 ? null : this.#falselyAccused / this.#honest,
    };
  }
}
