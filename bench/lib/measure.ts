// SPDX-License-Identifier: Apache-2.0
import { median } from "./statistics.ts";

/** One of several ways to do the same work. */
export interface Contender {
  readonly id: string;
  /** Does the work once on the `part`-th stretch of the data. @returns milliseconds, by the clock of whoever works. */
  run(part: number): Promise<number>;
  /** How many runs make up the whole work, where one does a part of it that is like all others; 1 if left out. */
  readonly runs?: number;
  /** What the whole work is thought to take, ms; undefined when nothing is known. Asked once, before the first run. */
  expectMs?(): Promise<number | undefined>;
  /** Whether runs leave garbage in this process, which is then collected before the next run: that takes longer than many a run. */
  readonly garbage: boolean;
  /** How much time it may have. */
  readonly patience: Patience;
}

export interface Patience {
  /** All runs together, ms: fewer are made of what is slow, but never none. */
  readonly totalMs: number;
  /** A run expected to take longer than this, ms, is not made. */
  readonly singleMs: number;
}

export interface Measured {
  /** Median of the whole work, ms. */
  readonly ms: number;
  readonly repeats: number;
}

/** A garbage collection inside a measurement would be somebody else's. Needs `--expose-gc`, which `npm run bench` sets. */
const collectGarbage = (globalThis as { gc?: () => void }).gc ?? (() => {});

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** The largest odd number of runs, at most `most`, that fit into the time; at least one. */
export function repeatsFor(runMs: number, totalMs: number, most: number): number {
  const fitting = Math.min(most, Math.max(1, Math.floor(totalMs / runMs)));
  return fitting % 2 === 1 ? fitting : fitting - 1;
}

/**
 * Medians of several contenders, measured in turn: what else the machine does in a given second then falls on all of them, and ratios stay
 * fair where absolute times do not. Each runs once before, to be compiled and to show how long it takes; that run does not count unless it
 * is all there is time for. From turn to turn the order is rotated and another stretch of the data is taken.
 *
 * @param repeats wanted for each, odd.
 * @returns by id; what was too slow is missing.
 */
export async function measureInTurn(
  contenders: readonly Contender[],
  repeats: number,
  onRun: (id: string) => void = () => {},
): Promise<Map<string, Measured>> {
  const taking: Contender[] = [];
  for (const contender of contenders) {
    const { id, runs = 1, patience } = contender;
    onRun(id);
    if (((await contender.expectMs?.()) ?? 0) / runs <= patience.singleMs) taking.push(contender);
  }
  const times = new Map<string, number[]>();
  const wanted = new Map<string, number>();
  let part = 0;
  for (const { id, run, garbage, patience } of taking) {
    onRun(id);
    if (garbage) collectGarbage();
    const first = await run(part++);
    const count = repeatsFor(first, patience.totalMs, repeats);
    wanted.set(id, count);
    times.set(id, count === 1 && first > patience.totalMs ? [first] : []);
  }
  for (let turn = 0; turn < repeats; turn++) {
    for (let i = 0; i < taking.length; i++) {
      const { id, run, garbage } = taking[(turn + i) % taking.length] as Contender;
      const own = times.get(id) as number[];
      if (own.length >= (wanted.get(id) as number)) continue;
      onRun(id);
      if (garbage) collectGarbage();
      own.push(await run(part++));
    }
  }
  return new Map(
    taking.map(({ id, runs = 1 }) => {
      const own = times.get(id) as number[];
      return [id, { ms: median(own) * runs, repeats: own.length }];
    }),
  );
}
