// SPDX-License-Identifier: Apache-2.0
import { Worker } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { ASSEMBLY_FLAGS } from "../../scripts/lib/assemblyFlags.ts";

/**
 * Readers that do nothing but read, in WebAssembly SIMD as the kernels are: what the machine gives them is what a kernel that computed in no
 * time would reach. Compiled when the bench starts.
 */
const SOURCE = `
// Reads 'count' streams of 'stride' bytes from 'base' on, bytes lo..hi of each, in turns of 'turn' bytes: multiples of 64.
export function readStreams(base: usize, count: i32, stride: usize, lo: usize, hi: usize, turn: usize): i32 {
  let a = i32x4.splat(0), b = a, c = a, e = a;
  for (let start = lo; start < hi; start += turn) {
    const stop = min(start + turn, hi);
    let stream = base;
    for (let k = 0; k < count; k++) {
      for (let at = stream + start; at < stream + stop; at += 64) {
        a = v128.or(a, v128.load(at));
        b = v128.or(b, v128.load(at, 16));
        c = v128.or(c, v128.load(at, 32));
        e = v128.or(e, v128.load(at, 48));
      }
      stream += stride;
    }
  }
  return i32x4.extract_lane(v128.or(v128.or(a, b), v128.or(c, e)), 0);
}
`;

export const LINE = 64;
const PAGE = 65_536;
const MAX_PAGES = 65_536;

/** What is used of WebAssembly: its types are part of the browser's, which the project does not load. */
interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: {
    compile(bytes: Uint8Array): Promise<object>;
    Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory;
    Instance: new (module: object, imports: object) => { readonly exports: { readonly readStreams: ReadStreams } };
  };
};

/** Words of the control block that main thread and workers share. */
const TURN = 0;
const LEFT = 1;

/** What a worker is told: eight numbers behind the control words. */
interface Job {
  readonly base: number;
  readonly count: number;
  readonly stride: number;
  readonly lo: number;
  readonly hi: number;
  readonly turn: number;
}

type ReadStreams = (base: number, count: number, stride: number, lo: number, hi: number, turn: number) => number;

async function compile(): Promise<object> {
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main(["readers.ts", "-o", "readers.wasm", ...ASSEMBLY_FLAGS], {
    readFile: (name) => (name === "readers.ts" ? SOURCE : null),
    writeFile: (name, contents) => {
      if (name === "readers.wasm") bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined)
    throw new Error(`The readers could not be compiled: ${error?.message}\n${stderr.toString()}`);
  return await wasm.compile(bytes);
}

const WORKER = `
const { workerData } = require("node:worker_threads");
const { compiled, memory, control, job, index } = workerData;
const { readStreams } = new WebAssembly.Instance(compiled, { env: { memory } }).exports;
let turn = 0;
for (;;) {
  Atomics.wait(control, 0, turn);
  turn = Atomics.load(control, 0);
  const at = 6 * index;
  readStreams(job[at], job[at + 1], job[at + 2], job[at + 3], job[at + 4], job[at + 5]);
  if (Atomics.sub(control, 1, 1) === 1) Atomics.notify(control, 1);
}
`;

/** Readers over one buffer that is larger than any cache. */
export class Readers {
  readonly #memory: SharedMemory;
  readonly #read: ReadStreams;
  readonly #control = new Int32Array(new SharedArrayBuffer(8));
  readonly #job: Float64Array;
  readonly #workers: readonly Worker[];
  readonly #bytes: number;

  private constructor(module: object, bytes: number, threads: number) {
    this.#bytes = bytes;
    this.#memory = new wasm.Memory({
      initial: Math.ceil((bytes + PAGE) / PAGE),
      maximum: MAX_PAGES,
      shared: true,
    });
    // Pages that were never written are all the same one, and would be read from the cache.
    new Uint8Array(this.#memory.buffer).fill(1);
    this.#read = new wasm.Instance(module, { env: { memory: this.#memory } }).exports.readStreams;
    this.#job = new Float64Array(new SharedArrayBuffer(8 * 6 * threads));
    this.#workers = Array.from({ length: threads - 1 }, (_, i) => {
      const workerData = {
        compiled: module,
        memory: this.#memory,
        control: this.#control,
        job: this.#job,
        index: i,
      };
      return new Worker(WORKER, { eval: true, workerData });
    });
  }

  /** @param threads the most that a read may ask for. */
  static async open(bytes: number, threads: number): Promise<Readers> {
    const readers = new Readers(await compile(), bytes, threads);
    await Promise.all(readers.#workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
    return readers;
  }

  /**
   * Reads `length` bytes of each of `count` streams once, K streams in turns of `turn` bytes, shared out among `threads`.
   *
   * @param part which stretch of the buffer. @returns bytes that were read.
   */
  read(count: number, length: number, part: number, threads: number, turn: number): number {
    const rounded = Math.max(LINE, Math.floor(length / LINE) * LINE);
    const stride = Math.floor(this.#bytes / count / LINE) * LINE;
    if (rounded > stride)
      throw new RangeError(
        `${count} streams of ${rounded} bytes are more than the ${this.#bytes} bytes that are held.`,
      );
    const places = Math.max(1, Math.floor(stride / rounded));
    const offset = (part % places) * rounded;
    const jobs = Array.from({ length: threads }, (_, i): Job => {
      const cut = (n: number): number => offset + Math.floor((rounded * n) / threads / LINE) * LINE;
      return { base: PAGE, count, stride, lo: cut(i), hi: cut(i + 1), turn };
    });
    this.#run(jobs);
    return rounded * count;
  }

  #run(jobs: readonly Job[]): void {
    const helpers = jobs.slice(1);
    for (const [i, { base, count, stride, lo, hi, turn }] of helpers.entries())
      this.#job.set([base, count, stride, lo, hi, turn], 6 * i);
    // Workers that are not asked to help get nothing to read.
    for (let i = helpers.length; i < this.#workers.length; i++) this.#job.fill(0, 6 * i, 6 * i + 6);
    if (helpers.length > 0) {
      Atomics.store(this.#control, LEFT, this.#workers.length);
      Atomics.add(this.#control, TURN, 1);
      Atomics.notify(this.#control, TURN);
    }
    const { base, count, stride, lo, hi, turn } = jobs[0] as Job;
    this.#read(base, count, stride, lo, hi, turn);
    if (helpers.length === 0) return;
    for (let left = Atomics.load(this.#control, LEFT); left > 0; left = Atomics.load(this.#control, LEFT))
      Atomics.wait(this.#control, LEFT, left, 1);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
