// SPDX-License-Identifier: Apache-2.0
import { availableParallelism, cpus } from "node:os";
import { chunkLength, type UpdateChunk } from "../../protocol/updateChunk.ts";
import type { GramMatrix, KernelDevice, KernelMemory, WideKernels } from "../../protocol/wideKernels.ts";
import { RowTable } from "./rowTable.ts";
import { SharedHeap } from "./sharedHeap.ts";
import { type NetworkPiece, networkProgram, selectionNetwork, sortingNetwork } from "./sortingNetwork.ts";
import { ThreadPool } from "./threadPool.ts";
import { KERNEL, MOST_SLOTS, RESERVED_BYTES, STATISTIC, type TileJob } from "./tileJob.ts";
import { loadKernelModule } from "./wasmModule.ts";

export interface CpuKernelOptions {
  /** Threads that compute, the caller's included; default: as many as the machine has cores for this process. */
  readonly threads?: number;
  /** Another program for the workers' threads. */
  readonly worker?: URL;
}

/**
 * The wide kernels in WebAssembly SIMD (assembly/), on the caller's thread and workers over one shared memory of at most 4 GiB.
 *
 * Chunks in memory of `allocate` are computed on in place; others are copied tile by tile. Small calls, such as those of a model of some
 * thousand parameters, run on the caller's thread alone, and no worker is started for them.
 *
 * @throws KernelError KERNELS_NOT_BUILT, or OUT_OF_MEMORY when the process cannot reserve the address space.
 */
export async function openCpuKernels(options: CpuKernelOptions = {}): Promise<WideKernels> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`Kernels compute on at least one thread, not ${threads}.`);
  const module = await loadKernelModule();
  const heap = new SharedHeap(RESERVED_BYTES);
  const pool = new ThreadPool(module, heap.memory, threads, options.worker);
  return new CpuKernels({ heap, pool, queue: Promise.resolve(), closed: false }, threads);
}

/**
 * The same kernels on fewer threads: what is in their memory is computed on in place by both, so that numbers of threads can be compared on
 * the same pages. Closing one closes both.
 */
export function withThreads(kernels: WideKernels, threads: number): WideKernels {
  if (!(kernels instanceof CpuKernels)) throw new TypeError("Only the cpu backend computes on threads.");
  return kernels.on(threads);
}

/** Coordinates whose results are held in shared memory before they are handed over to other memory: 2 MiB, in the cache. */
const RESULT_PASS = 262_144;
/** Coordinates for which the sums of a thread hold (assembly/gram.ts). */
const SUMS_PASS = 16_777_216;
/** Memory for the sums of all threads; a Gram matrix of 2 048 updates takes 67 MB per thread, so fewer compute it. */
const SUMS_BYTES = 268_435_456;
/** Nanoseconds of one thread's work below which waking others does not pay. */
const WORTH_WAKING = 500_000;

/** What the kernels differ in, as seen from here. */
interface WideCall {
  readonly kernel: number;
  readonly chunks: readonly UpdateChunk[];
  /** How many of them are updates; one more is the centre. */
  readonly count: number;
  readonly weights?: Uint32Array;
  /** Coordinates per tile and per pass. */
  readonly tile: number;
  readonly pass: number;
  readonly scratchBytes: number;
  /** Bytes of results of one coordinate, and of sums of one thread. */
  readonly outBytes: number;
  /** Where the results go that are not to be handed over pass by pass. */
  readonly outAddress?: number;
  readonly sumsBytes: number;
  readonly program?: Uint32Array;
  readonly statistic?: number;
  readonly parameter?: number;
  /** One thread's nanoseconds per coordinate, about. */
  readonly cost: number;
  /** Takes over a pass's results, or its sums of every thread. */
  readonly done: (results: PassResults) => void;
}

interface PassResults {
  readonly from: number;
  readonly out: Float64Array;
  readonly sums: readonly BigInt64Array[];
}

/** What kernels on the same memory share. */
interface Machinery {
  readonly heap: SharedHeap;
  readonly pool: ThreadPool;
  /** Ends when no call is under way. */
  queue: Promise<unknown>;
  closed: boolean;
}

class CpuKernels implements WideKernels {
  readonly device: KernelDevice;
  readonly #machinery: Machinery;

  constructor(machinery: Machinery, threads: number) {
    this.#machinery = machinery;
    this.device = { backend: "cpu", name: cpus()[0]?.model.trim() ?? "unknown processor", threads };
  }

  get #heap(): SharedHeap {
    return this.#machinery.heap;
  }

  get #pool(): ThreadPool {
    return this.#machinery.pool;
  }

  on(threads: number): CpuKernels {
    if (!Number.isInteger(threads) || threads < 1 || threads > this.#pool.threads)
      throw new RangeError(`These kernels have ${this.#pool.threads} threads, not ${threads}.`);
    return new CpuKernels(this.#machinery, threads);
  }

  allocate(bytes: number): KernelMemory {
    const address = this.#heap.take(bytes);
    let held = true;
    return {
      bytes: new Uint8Array(this.#heap.buffer, address, bytes),
      free: () => {
        if (held) this.#heap.give(address, bytes);
        held = false;
      },
    };
  }

  async weightedSum(updates: readonly UpdateChunk[], weights: Uint32Array, room?: Float64Array): Promise<Float64Array> {
    const count = updates.length;
    if (weights.length !== count) throw new RangeError(`${weights.length} weights do not belong to ${count} updates.`);
    if (weights.reduce((sum, weight) => sum + weight, 0) > 65_536)
      throw new RangeError("Weights sum to at most 65536: beyond it the accumulators may overflow.");
    return this.#coordinates(updates, room, {
      kernel: KERNEL.weightedSum,
      weights,
      tile: tileOf(524_288 / count, 1_024, 16_384),
      scratchBytes: this.#pool.kernels.weightedSumScratch(count),
      cost: 0.25 * count,
    });
  }

  coordinateMedian(updates: readonly UpdateChunk[], room?: Float64Array): Promise<Float64Array> {
    const count = updates.length;
    const network = selectionNetwork(count, (count - 1) >> 1, (count >> 1) + 1);
    return this.#orderStatistic(updates, room, network, STATISTIC.median, 0);
  }

  async trimmedMean(updates: readonly UpdateChunk[], trim: number, room?: Float64Array): Promise<Float64Array> {
    const count = updates.length;
    if (!Number.isInteger(trim) || trim < 0 || 2 * trim >= count)
      throw new RangeError(`${trim} values cannot be trimmed at both ends of ${count}.`);
    return this.#orderStatistic(
      updates,
      room,
      selectionNetwork(count, trim, count - trim),
      STATISTIC.trimmedMean,
      trim,
    );
  }

  async meanAroundMedian(updates: readonly UpdateChunk[], nearest: number, room?: Float64Array): Promise<Float64Array> {
    const count = updates.length;
    if (!Number.isInteger(nearest) || nearest < 1 || nearest > count)
      throw new RangeError(`The ${nearest} values nearest to a median of ${count} are not defined.`);
    return this.#orderStatistic(updates, room, sortingNetwork(count), STATISTIC.meanAroundMedian, nearest);
  }

  async gram(updates: readonly UpdateChunk[]): Promise<GramMatrix> {
    const count = updates.length;
    const padded = Math.ceil(count / 3) * 3;
    const total = updates.map(() => new Array<bigint>(count).fill(0n));
    const sumsBytes = this.#pool.kernels.gramSums(count) >>> 0;
    await this.#run({
      kernel: KERNEL.gram,
      chunks: updates,
      count,
      tile: tileOf(524_288 / count, 1_024, 16_384),
      pass: SUMS_PASS,
      scratchBytes: this.#pool.kernels.gramScratch(count) >>> 0,
      outBytes: 0,
      sumsBytes,
      cost: 0.6 * count + 0.04 * count * count,
      done: ({ sums }) => {
        for (let i = 0; i < count; i++) {
          for (let k = i; k < count; k++) {
            let lower = 0n;
            let upper = 0n;
            for (const words of sums) {
              lower += words[i * padded + k] as bigint;
              upper += words[(padded + i) * padded + k] as bigint;
            }
            const row = total[i] as bigint[];
            row[k] = (row[k] as bigint) + (upper << 24n) + lower;
            (total[k] as bigint[])[i] = row[k] as bigint;
          }
        }
      },
    });
    return total;
  }

  squaredNorms(updates: readonly UpdateChunk[]): Promise<bigint[]> {
    return this.#squares(updates);
  }

  squaredDistances(updates: readonly UpdateChunk[], z: UpdateChunk): Promise<bigint[]> {
    return this.#squares(updates, z);
  }

  async close(): Promise<void> {
    this.#machinery.closed = true;
    await this.#machinery.queue.catch(() => {});
    await this.#pool.close();
  }

  async #squares(updates: readonly UpdateChunk[], z?: UpdateChunk): Promise<bigint[]> {
    const count = updates.length;
    const total = new Array<bigint>(count).fill(0n);
    await this.#run({
      kernel: KERNEL.squares,
      chunks: z === undefined ? updates : [...updates, z],
      count,
      tile: tileOf(524_288 / count, 1_024, 16_384),
      pass: SUMS_PASS,
      scratchBytes: this.#pool.kernels.squaresScratch(),
      outBytes: 0,
      sumsBytes: 16 * count,
      cost: 0.3 * count,
      done: ({ sums }) => {
        for (const words of sums) {
          for (let k = 0; k < count; k++) {
            total[k] = (total[k] as bigint) + ((words[2 * k + 1] as bigint) << 32n) + (words[2 * k] as bigint);
          }
        }
      },
    });
    return total;
  }

  #orderStatistic(
    updates: readonly UpdateChunk[],
    room: Float64Array | undefined,
    network: readonly NetworkPiece[],
    statistic: number,
    parameter: number,
  ): Promise<Float64Array> {
    const count = updates.length;
    const tile = tileOf(131_072 / count, 64, 4_096);
    return this.#coordinates(updates, room, {
      kernel: KERNEL.orderStatistic,
      tile,
      scratchBytes: this.#pool.kernels.orderScratch(count, tile) >>> 0,
      program: networkProgram(network, count),
      statistic,
      parameter,
      cost: count + 0.2 * network.reduce((sum, { comparators }) => sum + comparators.length, 0),
    });
  }

  /** A result per coordinate. */
  async #coordinates(
    updates: readonly UpdateChunk[],
    room: Float64Array | undefined,
    call: Omit<WideCall, "chunks" | "count" | "pass" | "outBytes" | "sumsBytes" | "done">,
  ): Promise<Float64Array> {
    const size = lengthOf(updates);
    if (room !== undefined && room.length !== size)
      throw new RangeError(`Room for ${room.length} results does not suit ${size} coordinates.`);
    const result = room ?? new Float64Array(size);
    const inPlace = this.#heap.holds(result);
    await this.#run({
      ...call,
      chunks: updates,
      count: updates.length,
      pass: inPlace ? size : RESULT_PASS,
      outBytes: 8,
      ...(inPlace ? { outAddress: result.byteOffset } : {}),
      sumsBytes: 0,
      done: ({ from, out }) => {
        if (!inPlace) result.set(out, from);
      },
    });
    return result;
  }

  /** One call after the other: they share the threads. */
  #run(call: WideCall): Promise<void> {
    const machinery = this.#machinery;
    if (machinery.closed) return Promise.reject(new Error("The kernels are closed."));
    const turn = machinery.queue.then(() => this.#compute(call));
    machinery.queue = turn.catch(() => {});
    return turn;
  }

  async #compute(call: WideCall): Promise<void> {
    const { chunks, count, tile } = call;
    const size = lengthOf(chunks);
    const pass = Math.min(call.pass, size);
    const affordable = call.sumsBytes === 0 ? Infinity : Math.max(1, Math.floor(SUMS_BYTES / call.sumsBytes));
    const most = this.device.threads;
    const alone = most === 1 || size <= tile || affordable === 1 || call.cost * size < WORTH_WAKING;
    const threads = alone ? 1 : Math.min(most, affordable);
    const taken: (() => void)[] = [];
    const take = (bytes: number): number => {
      const address = this.#heap.take(bytes);
      taken.push(() => this.#heap.give(address, bytes));
      return address;
    };
    try {
      const rows = new RowTable(this.#heap, chunks, tile, Math.min(2 * threads, MOST_SLOTS), call.weights);
      taken.push(() => rows.free());
      const scratchBytes = Math.ceil(call.scratchBytes / 64) * 64 + 64;
      const sumsBytes = Math.ceil(call.sumsBytes / 64) * 64;
      const programBytes = call.program?.byteLength ?? 0;
      const job: Omit<TileJob, "from" | "to"> = {
        kernel: call.kernel,
        count,
        tile,
        rows: rows.address,
        slots: rows.slots,
        slotBytes: rows.slotBytes,
        out: call.outAddress ?? take(pass * call.outBytes),
        threads,
        scratch: take(threads * scratchBytes),
        scratchBytes,
        sums: take(threads * sumsBytes),
        sumsBytes,
        centred: chunks.length > count ? 1 : 0,
        program: take(programBytes),
        programBytes,
        statistic: call.statistic ?? 0,
        parameter: call.parameter ?? 0,
      };
      const buffer = this.#heap.buffer;
      if (call.program !== undefined) new Uint32Array(buffer, job.program).set(call.program);
      // The way a thread begins with is in its scratch.
      new Uint8Array(buffer, job.scratch, threads * scratchBytes).fill(0);
      const sums = Array.from(
        { length: call.sumsBytes === 0 ? 0 : threads },
        (_, thread) => new BigInt64Array(buffer, job.sums + thread * sumsBytes, call.sumsBytes / 8),
      );
      for (let from = 0; from < size; from += pass) {
        const to = Math.min(size, from + pass);
        for (const words of sums) words.fill(0n);
        const fill = (at: number, slot: number): void =>
          rows.copy(slot, from + at * tile, Math.min(to, from + (at + 1) * tile));
        await this.#pool.run({ ...job, from, to }, alone, rows.copies ? fill : undefined);
        const out = new Float64Array(buffer, job.out, call.outBytes === 0 ? 0 : to - from);
        call.done({ from, out, sums });
      }
    } finally {
      for (const give of taken) give();
    }
  }
}

/** A tile's coordinates: a multiple of 16 from `least` to `most`. */
function tileOf(wanted: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, Math.floor(wanted / 1_024) * 1_024 || Math.floor(wanted / 16) * 16));
}

function lengthOf(chunks: readonly UpdateChunk[]): number {
  const [first] = chunks;
  if (first === undefined) throw new RangeError("Kernels take at least one update.");
  const size = chunkLength(first);
  for (const chunk of chunks) {
    if (chunkLength(chunk) !== size)
      throw new RangeError(`Chunks of ${size} and ${chunkLength(chunk)} coordinates do not belong together.`);
  }
  return size;
}
