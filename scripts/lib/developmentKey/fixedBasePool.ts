// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { writeLittleEndian32 } from "../circuits/binaryFile.ts";
import { AFFINE_BYTES, type Group } from "./fixedBase.ts";
import type { MultiplyTask } from "./fixedBase.worker.ts";

/** Multiplies generators by many scalars on several threads. Results do not depend on the number of threads. */
export class FixedBasePool {
  readonly #workers: readonly Worker[];

  constructor(threads: number) {
    this.#workers = Array.from(
      { length: threads },
      () => new Worker(new URL("./fixedBase.worker.ts", import.meta.url), { execArgv: [] }),
    );
  }

  /** Affine points `scalars[i] · generator`, concatenated. Call it once at a time. */
  async multiply(group: Group, scalars: readonly bigint[]): Promise<Uint8Array> {
    const input = shared(32 * scalars.length);
    scalars.forEach((scalar, i) => writeLittleEndian32(input, 32 * i, scalar));
    const size = AFFINE_BYTES[group];
    const points = shared(size * scalars.length);
    const share = Math.ceil(scalars.length / this.#workers.length);
    await Promise.all(
      this.#workers.map(async (worker, id) => {
        const [start, end] = [id * share, Math.min(scalars.length, (id + 1) * share)];
        if (start >= end) return;
        worker.postMessage({
          id,
          group,
          scalars: input.subarray(32 * start, 32 * end),
          points: points.subarray(size * start, size * end),
        } satisfies MultiplyTask);
        // `once` rejects if the worker emits "error" instead.
        await once(worker, "message");
      }),
    );
    return points;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function shared(bytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}
