// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { KernelError } from "../errors.ts";
import type { KernelThread } from "./kernel.worker.ts";
import {
  CONTROL,
  claimTile,
  controlOf,
  finishTile,
  runTile,
  slotsOf,
  type TileJob,
  tilesOf,
  writeJob,
} from "./tileJob.ts";
import { instantiateKernels, type KernelExports } from "./wasmModule.ts";

const WORKER = new URL("./kernel.worker.ts", import.meta.url);
/** The caller's thread serves others too: it returns to its event loop this often. */
const SLICE_MS = 8;
/** Longest sleep while others finish their tiles. */
const NAP_MS = 1;

/** Puts the data of a tile into its slot. */
export type FillSlot = (tile: number, slot: number) => void;

/**
 * Threads that take tiles of one job at a time from a common counter; the caller's thread is one of them. Workers start with the first job that
 * is worth it, and a job never waits for them: whoever is there computes. Only while a job runs do they keep the process alive.
 */
export class ThreadPool {
  readonly kernels: KernelExports;
  /** Threads that compute, the caller's included. */
  readonly threads: number;
  readonly #module: WebAssembly.Module;
  readonly #memory: WebAssembly.Memory;
  readonly #worker: URL;
  readonly #control: Int32Array;
  readonly #slots: Int32Array;
  #workers: Worker[] = [];
  #lost: KernelError | undefined;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number, worker: URL = WORKER) {
    this.#module = module;
    this.#memory = memory;
    this.threads = threads;
    this.#worker = worker;
    this.kernels = instantiateKernels(module, memory);
    this.#control = controlOf(memory);
    this.#slots = slotsOf(memory);
  }

  /** Workers that have been started. */
  get started(): number {
    return this.#workers.length;
  }

  /**
   * Computes all tiles of a job; one job at a time.
   *
   * @param alone without workers: for jobs that take less time than waking them.
   * @param fill when the tiles' data must first be brought to the job's slots; without it, it is all there.
   * @throws KernelError THREAD_LOST when a worker has ended. The next job starts new ones.
   */
  async run(job: TileJob, alone: boolean, fill?: FillSlot): Promise<void> {
    if (this.#lost !== undefined) {
      // It ended between jobs, or could not begin.
      const lost = this.#lost;
      await this.close();
      throw lost;
    }
    if (!alone) this.#start();
    this.#open(job, alone, fill === undefined);
    for (const worker of this.#workers) worker.ref();
    let finished = false;
    try {
      await this.#work(job, fill);
      finished = true;
    } finally {
      // A thread that died, or a defect here: what the others still write to must not be used again before they are gone.
      if (finished) for (const worker of this.#workers) worker.unref();
      else await this.close();
    }
  }

  /** Ends all workers. */
  async close(): Promise<void> {
    const workers = this.#workers;
    this.#workers = [];
    await Promise.all(workers.map((worker) => worker.terminate()));
    this.#lost = undefined;
    Atomics.store(this.#control, CONTROL.open, 0);
    Atomics.store(this.#control, CONTROL.active, 0);
  }

  #start(): void {
    for (let thread = this.#workers.length + 1; thread < this.threads; thread++) {
      const workerData: KernelThread = { module: this.#module, memory: this.#memory, thread };
      // The process's own flags (--input-type, --import, --test) are not for the thread.
      const worker = new Worker(this.#worker, { workerData, execArgv: [] });
      const lost = (cause: unknown): void => {
        if (!this.#workers.includes(worker)) return; // Closed meanwhile.
        this.#lost ??= new KernelError(
          "THREAD_LOST",
          `Thread ${thread} of the kernels ended; the machine may be out of memory.`,
          { thread },
          cause,
        );
      };
      worker.on("error", lost);
      worker.on("exit", (code) => lost(new Error(`The thread ended with code ${code}.`)));
      worker.unref();
      this.#workers.push(worker);
    }
  }

  #open(job: TileJob, alone: boolean, complete: boolean): void {
    const control = this.#control;
    writeJob(this.#memory, job);
    this.#slots.fill(0);
    Atomics.store(control, CONTROL.next, 0);
    Atomics.store(control, CONTROL.finished, 0);
    Atomics.store(control, CONTROL.available, complete ? tilesOf(job) : 0);
    if (alone) return;
    Atomics.store(control, CONTROL.open, 1);
    Atomics.add(control, CONTROL.generation, 1);
    Atomics.notify(control, CONTROL.generation);
  }

  async #work(job: TileJob, fill: FillSlot | undefined): Promise<void> {
    const control = this.#control;
    const tiles = tilesOf(job);
    let filled = fill === undefined ? tiles : 0;
    let until = performance.now() + SLICE_MS;
    for (;;) {
      if (fill !== undefined && filled < tiles && this.#isFree(job, filled)) {
        fill(filled, filled % job.slots);
        filled++;
        Atomics.store(control, CONTROL.available, filled);
        Atomics.notify(control, CONTROL.available);
      } else {
        const tile = claimTile(control, tiles);
        if (tile >= 0) {
          runTile(this.kernels, job, tile, 0);
          finishTile(control, this.#slots, job, tile);
        } else {
          const finished = Atomics.load(control, CONTROL.finished);
          if (finished === tiles) break;
          Atomics.wait(control, CONTROL.finished, finished, NAP_MS);
        }
      }
      if (performance.now() > until) until = await this.#pause();
    }
    Atomics.store(control, CONTROL.open, 0);
    // Whoever sleeps for another tile wakes: the word has changed.
    Atomics.store(control, CONTROL.available, tiles + 1);
    Atomics.notify(control, CONTROL.available);
    for (
      let active = Atomics.load(control, CONTROL.active);
      active > 0;
      active = Atomics.load(control, CONTROL.active)
    ) {
      Atomics.wait(control, CONTROL.active, active, NAP_MS);
      if (performance.now() > until) until = await this.#pause();
    }
  }

  /** Whether the slot of a tile holds nothing that is still needed. */
  #isFree(job: TileJob, tile: number): boolean {
    return Atomics.load(this.#slots, tile % job.slots) === Math.floor(tile / job.slots);
  }

  /** Lets the event loop run. @returns when to do so next. */
  async #pause(): Promise<number> {
    await setImmediate();
    if (this.#lost !== undefined) throw this.#lost;
    return performance.now() + SLICE_MS;
  }
}
