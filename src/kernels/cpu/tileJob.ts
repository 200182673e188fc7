// SPDX-License-Identifier: Apache-2.0
import type { KernelExports } from "./wasmModule.ts";

/**
 * The first page after the module's own data holds what threads tell each other: a few words that change (CONTROL), and the description of
 * the job at hand (JOB), which changes only while no thread is at work.
 */
export const CONTROL_ADDRESS = 65_536;
export const RESERVED_BYTES = 131_072;

/** int32 words, each on a cache line of its own. */
export const CONTROL = {
  /** Goes up with every job; workers sleep on it. */
  generation: 0,
  /** 1 while the job may be worked on. */
  open: 16,
  /** Workers that may be reading the job. */
  active: 32,
  /** Next tile to take. */
  next: 48,
  /** Tiles whose data is there. */
  available: 64,
  /** Tiles done. */
  finished: 80,
  words: 96,
} as const;

const JOB_ADDRESS = CONTROL_ADDRESS + 4 * CONTROL.words;
/** Behind the job: for each slot the number of tiles that have been done in it. */
export const SLOTS_ADDRESS = JOB_ADDRESS + 4 * 32;
export const MOST_SLOTS = 1_024;

export const KERNEL = { weightedSum: 0, gram: 1, squares: 2, orderStatistic: 3 } as const;
export const STATISTIC = { median: 0, trimmedMean: 1, meanAroundMedian: 2 } as const;

/** One kernel over coordinates [from, to) of K rows, in tiles. Addresses and sizes in bytes. */
export interface TileJob {
  readonly kernel: number;
  /** K. */
  readonly count: number;
  readonly from: number;
  readonly to: number;
  /** Coordinates per tile. */
  readonly tile: number;
  /** Address of the result of coordinate `from`, 8 bytes each. */
  readonly out: number;
  /** K + 1 descriptions of rows (assembly/rows.ts), the last one the centre of squared distances; tile t uses the table of slot t mod slots. */
  readonly rows: number;
  readonly slots: number;
  readonly slotBytes: number;
  /** Threads for which there is scratch; others do not take part. */
  readonly threads: number;
  /** Scratch and sums of each thread, one after the other. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly sums: number;
  readonly sumsBytes: number;
  readonly centred: number;
  /** Address of a sorting network's program. */
  readonly program: number;
  readonly programBytes: number;
  readonly statistic: number;
  readonly parameter: number;
}

const FIELDS = [
  "kernel",
  "count",
  "from",
  "to",
  "tile",
  "out",
  "rows",
  "slots",
  "slotBytes",
  "threads",
  "scratch",
  "scratchBytes",
  "sums",
  "sumsBytes",
  "centred",
  "program",
  "programBytes",
  "statistic",
  "parameter",
] as const satisfies readonly (keyof TileJob)[];

export const ROW_WORDS = 8;

export function tilesOf({ from, to, tile }: TileJob): number {
  return Math.ceil((to - from) / tile);
}

export function controlOf(memory: WebAssembly.Memory): Int32Array {
  return new Int32Array(memory.buffer, CONTROL_ADDRESS, CONTROL.words);
}

export function slotsOf(memory: WebAssembly.Memory): Int32Array {
  return new Int32Array(memory.buffer, SLOTS_ADDRESS, MOST_SLOTS);
}

export function writeJob(memory: WebAssembly.Memory, job: TileJob): void {
  new Uint32Array(memory.buffer, JOB_ADDRESS, FIELDS.length).set(FIELDS.map((field) => job[field]));
}

export function readJob(memory: WebAssembly.Memory): TileJob {
  const words = new Uint32Array(memory.buffer, JOB_ADDRESS, FIELDS.length);
  return Object.fromEntries(FIELDS.map((field, i) => [field, words[i]])) as unknown as TileJob;
}

/** Takes the next tile whose data is there. @returns its number, or -1. */
export function claimTile(control: Int32Array, tiles: number): number {
  for (;;) {
    const tile = Atomics.load(control, CONTROL.next);
    if (tile >= tiles || tile >= Atomics.load(control, CONTROL.available)) return -1;
    if (Atomics.compareExchange(control, CONTROL.next, tile, tile + 1) === tile) return tile;
  }
}

/** Computes one tile. @param thread 0 for the caller, then the workers. */
export function runTile(kernels: KernelExports, job: TileJob, tile: number, thread: number): void {
  const { count } = job;
  const from = job.from + tile * job.tile;
  const to = Math.min(job.to, from + job.tile);
  const rows = job.rows + (tile % job.slots) * job.slotBytes;
  const scratch = job.scratch + thread * job.scratchBytes;
  const sums = job.sums + thread * job.sumsBytes;
  const out = job.out + 8 * (from - job.from);
  if (job.kernel === KERNEL.weightedSum) kernels.weightedSum(rows, count, from, to, out, scratch);
  else if (job.kernel === KERNEL.gram) kernels.gram(rows, count, from, to, sums, scratch);
  else if (job.kernel === KERNEL.squares) {
    const centre = job.centred === 1 ? rows + 4 * ROW_WORDS * count : 0;
    kernels.squares(rows, count, from, to, centre, sums, scratch);
  } else {
    const { program, programBytes, statistic, parameter } = job;
    kernels.orderStatistic(rows, count, from, to, out, scratch, program, programBytes, statistic, parameter);
  }
}

/** A tile is done: its slot may be filled again. */
export function finishTile(control: Int32Array, slots: Int32Array, job: TileJob, tile: number): void {
  Atomics.add(slots, tile % job.slots, 1);
  Atomics.add(control, CONTROL.finished, 1);
  Atomics.notify(control, CONTROL.finished);
}
