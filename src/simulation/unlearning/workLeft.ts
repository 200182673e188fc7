// SPDX-License-Identifier: Apache-2.0

/** How far a command has come. */
export interface ForgettingProgress {
  readonly stage: string;
  /** Of the stage's own work, 0 … 1. */
  readonly share: number;
  /** Seconds until everything is done at the speed so far; undefined until there is one. */
  readonly secondsLeft: number | undefined;
}

/** Counts members' rounds of training, of which everything else is a small part. */
export class WorkLeft {
  readonly #stages = new Map<string, { planned: number; done: number }>();
  readonly #tell: ((progress: ForgettingProgress) => void) | undefined;
  #started: number | undefined;
  #trained = 0;

  constructor(tell: ((progress: ForgettingProgress) => void) | undefined) {
    this.#tell = tell;
  }

  plan(stage: string, trainings: number): void {
    this.#stages.set(stage, { planned: trainings, done: 0 });
  }

  /** Whatever of the stage was found or is needless is not waited for. */
  end(stage: string): void {
    this.#stages.delete(stage);
  }

  trained(stage: string, trainings: number): void {
    const found = this.#stages.get(stage);
    if (found === undefined) return;
    this.#started ??= performance.now();
    found.done += trainings;
    this.#trained += trainings;
    const left = [...this.#stages.values()].reduce((sum, { planned, done }) => sum + Math.max(0, planned - done), 0);
    const seconds = (performance.now() - this.#started) / 1000;
    this.#tell?.({
      stage,
      share: Math.min(1, found.done / found.planned),
      secondsLeft: seconds > 1 ? (seconds / this.#trained) * left : undefined,
    });
  }
}
