// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { openCpuKernels, withThreads } from "../../../src/kernels/cpu/cpuKernels.ts";
import { chunkLength, type UpdateChunk } from "../../../src/protocol/updateChunk.ts";
import type { KernelMemory, WideKernels } from "../../../src/protocol/wideKernels.ts";
import { sameResult } from "../../support/sameResult.ts";
import { blocks, dense, type Known, sparse, TOP } from "../chunks.ts";

/** Values that look random and cost nothing to draw. */
function scattered(size: number, seed: number, largest: number): Int32Array {
  return Int32Array.from(
    { length: size },
    (_, j) => ((Math.imul(j + seed * 65_537, 2_654_435_761) >>> 8) % (2 * largest + 1)) - largest,
  );
}

/** Long enough that the caller wakes its workers, and one coordinate more than whole tiles. */
const LONG = 300_001;

function updates(largest: number): Known[] {
  const make = [
    dense,
    (values: Int32Array) => blocks(values, 1, 128),
    (values: Int32Array) => sparse(values.map((q, j) => (j % 7 === 0 ? q : 0))),
    (values: Int32Array) => blocks(values, 2, 100, 37, 5),
  ];
  return Array.from({ length: 8 }, (_, k) => {
    const form = make[k % 4] as (typeof make)[number];
    // The fourth form leaves its first 37 values out.
    return form(scattered(k % 4 === 3 ? LONG + 37 : LONG, k, largest));
  });
}

const chunksOf = (known: readonly Known[]): UpdateChunk[] => known.map(({ chunk }) => chunk);

/** The same chunks in the backend's memory, at addresses that suit nobody. */
function moved(
  kernels: WideKernels,
  chunks: readonly UpdateChunk[],
): { chunks: UpdateChunk[]; memories: KernelMemory[] } {
  const memories: KernelMemory[] = [];
  const put = (view: Uint8Array | Int32Array | Uint32Array, lead: number): KernelMemory => {
    const memory = kernels.allocate(view.byteLength + lead);
    memory.bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), lead);
    memories.push(memory);
    return memory;
  };
  return {
    memories,
    chunks: chunks.map((chunk): UpdateChunk => {
      if (chunk.kind === "blocks") return { ...chunk, bytes: put(chunk.bytes, 3).bytes.subarray(3) };
      const { buffer, byteOffset } = put(chunk.values, 4).bytes;
      const values = new Int32Array(buffer, byteOffset + 4, chunk.values.length);
      if (chunk.kind === "dense") return { kind: "dense", values };
      const indices = put(chunk.indices, 8).bytes;
      return { ...chunk, values, indices: new Uint32Array(indices.buffer, indices.byteOffset + 8, values.length) };
    }),
  };
}

const weights = Uint32Array.of(1, 65_535 - 30_000, 0, 2_000, 8_000, 10_000, 4_000, 6_000);

async function everything(kernels: WideKernels, chunks: readonly UpdateChunk[]): Promise<unknown[]> {
  // At once: calls wait for each other.
  return Promise.all([
    kernels.weightedSum(chunks, weights),
    kernels.gram(chunks),
    kernels.squaredNorms(chunks),
    kernels.squaredDistances(chunks, chunks[1] as UpdateChunk),
    kernels.coordinateMedian(chunks),
    kernels.trimmedMean(chunks, 2),
    kernels.meanAroundMedian(chunks, 3),
  ]);
}

for (const largest of [2_000, 32_767, TOP]) {
  describe(`many tiles of values up to ${largest}, the same bits as the reference`, () => {
    const chunks = chunksOf(updates(largest));
    let expected: unknown[];
    before(async () => {
      expected = await everything(referenceKernels, chunks);
    });
    for (const threads of [1, 2, 4]) {
      it(`${threads} threads`, async () => {
        const kernels = await openCpuKernels({ threads });
        assert.equal(kernels.device.threads, threads);
        sameResult(await everything(kernels, chunks), expected, "copied");
        const own = moved(kernels, chunks);
        sameResult(await everything(kernels, own.chunks), expected, "in place");
        sameResult(await everything(kernels, [...own.chunks.slice(0, 3), ...chunks.slice(3)]), expected, "mixed");
        for (const memory of own.memories) memory.free();
        await kernels.close();
      });
    }
  });
}

describe("results in the kernels' own memory", () => {
  const MARK = 0.5;
  for (const threads of [1, 4]) {
    it(`come where they are asked for, and nothing beside them is written: ${threads} threads`, async () => {
      const kernels = await openCpuKernels({ threads });
      const chunks = chunksOf(updates(TOP));
      const short = [dense([1, -2, 3]), dense([4, 5, -6]), sparse([0, 7, 0])].map(({ chunk }) => chunk);
      for (const [given, of] of [
        [chunks, weights],
        [short, Uint32Array.of(30_000, 30_000, 5_536)],
      ] as const) {
        const size = chunkLength(given[0] as UpdateChunk);
        const { bytes, free } = kernels.allocate(8 * (size + 6));
        const around = new Float64Array(bytes.buffer, bytes.byteOffset, size + 6);
        const room = around.subarray(3, 3 + size);
        const expectIn = async (
          name: string,
          ask: (kernels: WideKernels, room?: Float64Array) => Promise<Float64Array>,
        ): Promise<void> => {
          around.fill(MARK);
          assert.equal(await ask(kernels, room), room, name);
          sameResult(Float64Array.from(room), await ask(referenceKernels), name);
          assert.deepEqual([...around.subarray(0, 3), ...around.subarray(3 + size)], Array(6).fill(MARK), name);
        };
        await expectIn("weighted sum", (on, into) => on.weightedSum(given, of, into));
        await expectIn("median", (on, into) => on.coordinateMedian(given, into));
        await expectIn("trimmed mean", (on, into) => on.trimmedMean(given, 1, into));
        await expectIn("mean around median", (on, into) => on.meanAroundMedian(given, 2, into));
        free();
      }
      await kernels.close();
    });
  }
});

describe("a worker that ends", () => {
  const long = Array.from({ length: 12 }, (_, k) => dense(scattered(LONG, k, TOP)).chunk);
  const worker = (program: string): URL => new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const CONTROL =
    "import { workerData } from 'node:worker_threads';" +
    "const control = new Int32Array(workerData.memory.buffer, 65536, 96);";

  it("is an error when it dies while others wait for its tile; the next call starts another", async () => {
    // Takes a tile and dies.
    const kernels = await openCpuKernels({
      threads: 2,
      worker: worker(
        `${CONTROL} Atomics.add(control, 32, 1); Atomics.add(control, 48, 1); throw new Error("out of luck");`,
      ),
    });
    // The caller computes alone while the worker starts, so it may end before the worker has taken anything.
    await assert.rejects(
      async () => {
        for (let i = 0; i < 200; i++) await kernels.coordinateMedian(long);
      },
      { code: "THREAD_LOST", message: /Thread 1/ },
    );
    await kernels.close();
  });

  it("is an error when it cannot even begin", async () => {
    const kernels = await openCpuKernels({ threads: 3, worker: worker("throw new Error('no');") });
    await assert.rejects(
      async () => {
        for (let i = 0; i < 200; i++) await kernels.coordinateMedian(long);
      },
      { code: "THREAD_LOST" },
    );
    await kernels.close();
  });

  it("is not there for small models: no worker is started", async () => {
    const kernels = await openCpuKernels({ threads: 2, worker: worker("throw new Error('never');") });
    const small = Array.from({ length: 5 }, (_, k) => dense(scattered(2_500, k, TOP)).chunk);
    for (let i = 0; i < 20; i++) {
      await kernels.weightedSum(small, new Uint32Array(5).fill(13_000));
      await kernels.gram(small);
      await kernels.meanAroundMedian(small, 3);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await kernels.close();
  });
});

describe("what cannot be computed", () => {
  let kernels: WideKernels;
  before(async () => {
    kernels = await openCpuKernels({ threads: 1 });
  });
  after(() => kernels.close());
  const two = [dense([1, 2]).chunk, dense([3, 4]).chunk];

  it("is refused before memory runs over, and what is held stays usable", async () => {
    assert.throws(() => kernels.allocate(5 * 2 ** 30), { code: "OUT_OF_MEMORY" });
    const most = kernels.allocate(2 ** 32 - 4 * 2 ** 20);
    assert.throws(() => kernels.allocate(2 ** 24), { code: "OUT_OF_MEMORY" });
    assert.deepEqual([...(await kernels.weightedSum(two, Uint32Array.of(1, 2)))], [7, 10]);
    // The last bytes are the highest addresses that kernels see.
    const values = new Int32Array(most.bytes.buffer, most.bytes.byteOffset + most.bytes.length - 12, 3);
    values.set([-TOP, 5, TOP]);
    const high: UpdateChunk[] = [{ kind: "dense", values }];
    assert.deepEqual([...(await kernels.coordinateMedian(high))], [-TOP * 65_536, 5 * 65_536, TOP * 65_536]);
    assert.deepEqual(await kernels.gram(high), [[2n * BigInt(TOP) ** 2n + 25n]]);
    most.free();
    most.free(); // Once is enough, twice is nothing more.
    kernels.allocate(2 ** 30).free();
  });

  it("is a defect of the caller: weights beyond 2^16, lengths that differ, impossible parameters, no updates", async () => {
    await assert.rejects(kernels.weightedSum(two, Uint32Array.of(65_536, 1)), RangeError);
    await assert.rejects(kernels.weightedSum(two, Uint32Array.of(1)), RangeError);
    await assert.rejects(kernels.gram([dense([1]).chunk, ...two]), RangeError);
    await assert.rejects(kernels.trimmedMean(two, 1), RangeError);
    await assert.rejects(kernels.meanAroundMedian(two, 3), RangeError);
    await assert.rejects(kernels.meanAroundMedian(two, 0), RangeError);
    await assert.rejects(kernels.gram([]), RangeError);
    await assert.rejects(openCpuKernels({ threads: 0 }), RangeError);
  });

  it("is a result in a room that does not suit it; one that does is where it comes, whatever was there", async () => {
    const room = new Float64Array(2).fill(Number.NaN);
    assert.equal(await kernels.weightedSum(two, Uint32Array.of(1, 2), room), room);
    assert.deepEqual([...room], [7, 10]);
    assert.equal(await kernels.coordinateMedian(two, room), room);
    assert.deepEqual([...room], [2 * 65_536, 3 * 65_536]);
    assert.equal(await kernels.trimmedMean(two, 0, room), room);
    assert.equal(await kernels.meanAroundMedian(two, 1, room), room);
    assert.deepEqual([...room], [65_536, 2 * 65_536]);
    await assert.rejects(kernels.weightedSum(two, Uint32Array.of(1, 2), new Float64Array(3)), RangeError);
  });

  it("is finished by a close that comes while threads are at work, call after call", async () => {
    const closing = await openCpuKernels({ threads: 4 });
    const long = Array.from({ length: 12 }, (_, k) => dense(scattered(LONG, k, TOP)).chunk);
    const asked = [closing.coordinateMedian(long), closing.gram(long), closing.coordinateMedian(long)] as const;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await closing.close();
    const [first, products, last] = await Promise.all(asked);
    sameResult(first, last);
    sameResult(first, await kernels.coordinateMedian(long));
    sameResult(products, await kernels.gram(long));
  });

  it("is nothing after close; what was asked before it is still answered", async () => {
    const closing = await openCpuKernels({ threads: 2 });
    const asked = closing.weightedSum(two, Uint32Array.of(2, 1));
    await closing.close();
    assert.deepEqual([...(await asked)], [5, 8]);
    await assert.rejects(closing.weightedSum(two, Uint32Array.of(2, 1)), /closed/);
    await closing.close();
  });

  it("computes on fewer threads over the same memory, in turn with the others, and is closed with them", async () => {
    const four = await openCpuKernels({ threads: 4 });
    const views = [1, 2, 3].map((threads) => withThreads(four, threads));
    assert.deepEqual(
      views.map(({ device }) => device.threads),
      [1, 2, 3],
    );
    const { chunks } = moved(four, chunksOf(updates(TOP)));
    const weights = new Uint32Array(chunks.length).fill(8_192);
    const expected = await referenceKernels.weightedSum(chunks, weights);
    for (const sum of await Promise.all([four, ...views].map((kernels) => kernels.weightedSum(chunks, weights))))
      sameResult(sum, expected);
    for (const threads of [0, 1.5, 5]) assert.throws(() => withThreads(four, threads), RangeError);
    assert.throws(() => withThreads(referenceKernels, 1), TypeError);
    await (views[0] as WideKernels).close();
    await assert.rejects(four.weightedSum(two, Uint32Array.of(2, 1)), /closed/);
  });
});
