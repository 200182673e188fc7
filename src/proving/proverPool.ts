// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ProverError } from "./errors.ts";
import type { ProofAnswer, ProofTask } from "./prover.worker.ts";

/**
 * snarkjs imports the package `web-worker`, which takes every thread for one it started and runs the program it finds here. This is the
 * empty one; without it the import fails.
 */
const WEB_WORKER_DATA = { mod: "data:," };

interface Job {
  readonly task: ProofTask;
  readonly resolve: (answer: ProofAnswer) => void;
  readonly reject: (error: ProverError) => void;
}

/**
 * Threads that prove, one proof each at a time; further proofs wait in order of arrival. Several provers of one process share a pool, so
 * that it never computes on more cores than the operator allows.
 *
 * Threads start when first needed. Only a thread at work keeps the process alive.
 */
export class ProverPool {
  readonly #threads: number;
  readonly #idle: Worker[] = [];
  readonly #working = new Map<Worker, Job>();
  readonly #waiting: Job[] = [];
  #closed = false;

  /** @param options.threads proofs made at once; default 2, or 1 where only two cores are there, since the process has other work. */
  constructor(options: { readonly threads?: number | undefined } = {}) {
    this.#threads = options.threads ?? Math.max(1, Math.min(2, availableParallelism() - 1));
  }

  /** @throws ProverError when the pool is closed or the thread dies, out of memory for example. */
  run(task: ProofTask): Promise<ProofAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new ProverError("The prover is closed."));
        return;
      }
      this.#waiting.push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends all threads; proofs under way and waiting are rejected. Closing twice is closing. */
  async close(): Promise<void> {
    this.#closed = true;
    const workers = [...this.#idle.splice(0), ...this.#working.keys()];
    const jobs = [...this.#working.values(), ...this.#waiting.splice(0)];
    this.#working.clear();
    for (const { reject } of jobs) reject(new ProverError("The prover was closed before the proof was made."));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0 && this.#working.size < this.#threads) {
      const job = this.#waiting.shift() as Job;
      const worker = this.#idle.pop() ?? this.#start();
      this.#working.set(worker, job);
      worker.ref();
      worker.postMessage(job.task);
    }
  }

  #start(): Worker {
    // The process's own flags (--input-type, --import, --test) are not for the thread.
    const worker = new Worker(new URL("./prover.worker.ts", import.meta.url), {
      workerData: WEB_WORKER_DATA,
      execArgv: [],
    });
    worker.on("message", (answer: ProofAnswer) => {
      const job = this.#working.get(worker);
      if (job === undefined) return; // Closed meanwhile.
      this.#working.delete(worker);
      this.#idle.push(worker);
      worker.unref();
      job.resolve(answer);
      this.#dispatch();
    });
    worker.on("error", (cause) => this.#lost(worker, cause));
    worker.on("exit", (code) => this.#lost(worker, new Error(`The thread ended with code ${code}.`)));
    return worker;
  }

  /** A thread is gone: its proof fails, and the next one gets a new thread. */
  #lost(worker: Worker, cause: unknown): void {
    const position = this.#idle.indexOf(worker);
    if (position >= 0) this.#idle.splice(position, 1);
    const job = this.#working.get(worker);
    this.#working.delete(worker);
    job?.reject(
      new ProverError(
        "The thread that made the proof ended. The machine may be out of memory; a proof for 32 participants takes 0.5 GB.",
        cause,
      ),
    );
    this.#dispatch();
  }
}
