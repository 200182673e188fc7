// SPDX-License-Identifier: Apache-2.0

const REWRITE_MS = 200;

/** Time as people read it: 42 s, 3 min 5 s. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * How far a long run has come, on the error stream: one line that is rewritten on a terminal, a line per step elsewhere. The estimate
 * of what is left takes each step to cost in proportion to its weight.
 */
export class Progress {
  readonly #total: number;
  readonly #before: number;
  readonly #startedAt = performance.now();
  #done: number;
  #step = "";
  #writtenAt = 0;

  /** @param total weight of all steps. @param before weight of those that were done before this process began. */
  constructor(total: number, before = 0) {
    this.#total = total;
    this.#before = before;
    this.#done = before;
  }

  begin(step: string): void {
    this.#step = step;
    this.#write("", true);
  }

  /** What is under way within a step. */
  detail(text: string): void {
    if (process.stderr.isTTY && performance.now() - this.#writtenAt > REWRITE_MS) this.#write(text, false);
  }

  end(weight: number): void {
    this.#done += weight;
  }

  finish(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  #write(detail: string, wholeLine: boolean): void {
    const elapsed = performance.now() - this.#startedAt;
    const here = this.#done - this.#before;
    const left = here === 0 ? "" : `, about ${duration((elapsed / here) * (this.#total - this.#done))} left`;
    const percent = Math.floor((100 * this.#done) / this.#total);
    const line = `${String(percent).padStart(3)} %  ${this.#step}${detail === "" ? "" : `  ${detail}`}  (${duration(elapsed)}${left})`;
    this.#writtenAt = performance.now();
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 120) - 1)}`);
    else if (wholeLine) process.stderr.write(`${line}\n`);
  }
}
