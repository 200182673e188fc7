// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { keyedRandom, type Random } from "../../src/protocol/random.ts";
import type { UpdateChunk } from "../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { sameResult } from "../support/sameResult.ts";
import { dense, FORMS, type Known, sparse, TOP } from "./chunks.ts";
import * as oracle from "./oracle.ts";
import { digestOf, inputsOf, readKernelCases } from "./vectors.ts";

const EDGES = [0, 1, -1, TOP, -TOP, 4_095, 4_096, -4_095, -4_096, -4_097, 32_767, -32_767, 32_768, -32_768, 127, -128];
const edge = fc.constantFrom(...EDGES);
const wide = fc.oneof(fc.integer({ min: -TOP, max: TOP }), edge);
const narrow = fc.integer({ min: -32_767, max: 32_767 });
const vectors = (value: fc.Arbitrary<number>, most = 9): fc.Arbitrary<Int32Array[]> =>
  fc.integer({ min: 1, max: 70 }).chain((size) =>
    fc.array(
      fc.array(value, { minLength: size, maxLength: size }).map((row) => Int32Array.from(row)),
      { minLength: 1, maxLength: most },
    ),
  );
const chunksOf = (known: readonly Known[]): UpdateChunk[] => known.map(({ chunk }) => chunk);
const valuesOf = (known: readonly Known[]): Int32Array[] => known.map(({ values }) => values);
const denseOf = (values: readonly Int32Array[]): UpdateChunk[] => chunksOf(values.map(dense));

/** K vectors of every form in turn, values of any size, many of them at the edges of what kernels treat differently. */
function mixed(random: Random, count: number, size: number): Known[] {
  const forms = Object.values(FORMS);
  return Array.from({ length: count }, (_, k) => {
    const values = Array.from({ length: size }, () =>
      random.integerBelow(3) === 0
        ? (EDGES[random.integerBelow(EDGES.length)] as number)
        : random.integerBelow(2 * TOP + 1) - TOP,
    );
    return (forms[k % forms.length] as (typeof forms)[number])(values, random);
  });
}

/** λ that sum to 2^16, among them 0 and as much as all of it. */
function weightsFor(random: Random, count: number): Uint32Array {
  const cuts = Array.from({ length: count - 1 }, () => random.integerBelow(65_537)).sort((a, b) => a - b);
  return Uint32Array.from({ length: count }, (_, k) => (cuts[k] ?? 65_536) - (cuts[k - 1] ?? 0));
}

/**
 * What every backend of the wide kernels must do, compared with their definitions in BigInt (`oracle.ts`).
 *
 * @param sizes lengths at which the backend changes its way of working: lanes, tiles, workgroups, threads, and one around each.
 */
export function describeKernels(name: string, open: () => Promise<WideKernels>, sizes: readonly number[] = []): void {
  describe(name, () => {
    let kernels: WideKernels;
    before(async () => {
      kernels = await open();
    });
    after(async () => {
      await kernels.close();
    });

    async function compareAll(known: readonly Known[], random: Random): Promise<void> {
      const chunks = chunksOf(known);
      const values = valuesOf(known);
      const count = known.length;
      const weights = weightsFor(random, count);
      const trim = random.integerBelow(Math.ceil(count / 2));
      const nearest = 1 + random.integerBelow(count);
      sameResult([...(await kernels.weightedSum(chunks, weights))], oracle.weightedSum(values, weights));
      sameResult([...(await kernels.coordinateMedian(chunks))], oracle.coordinateMedian(values));
      sameResult([...(await kernels.trimmedMean(chunks, trim))], oracle.trimmedMean(values, trim), `trim ${trim}`);
      sameResult(
        [...(await kernels.meanAroundMedian(chunks, nearest))],
        oracle.meanAroundMedian(values, nearest),
        `nearest ${nearest}`,
      );
      const gram = await kernels.gram(chunks);
      for (const [i, x] of values.entries()) {
        for (const [k, y] of values.entries()) assert.equal(gram[i]?.[k], oracle.dot(x, y), `⟨${i}, ${k}⟩`);
      }
      const z = known[0] as Known;
      sameResult(
        await kernels.squaredNorms(chunks),
        values.map((x) => oracle.dot(x, x)),
      );
      sameResult(
        await kernels.squaredDistances(chunks, z.chunk),
        values.map((x) => oracle.squaredDistance(x, z.values)),
      );
    }

    it("does what the definitions say, in every form and mixture of forms, K from 1 to 40", async () => {
      for (const count of [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 20, 33, 40]) {
        const random = keyedRandom("kernels", count);
        await compareAll(mixed(random, count, 1 + random.integerBelow(150)), random);
      }
    });

    for (const [form, make] of Object.entries(FORMS)) {
      it(`does what the definitions say when all are ${form}`, async () => {
        const random = keyedRandom("form", form);
        for (const [count, size] of [
          [1, 1],
          [2, 3],
          [6, 129],
          [21, 70],
        ] as const) {
          const known = Array.from({ length: count }, () =>
            make(
              Array.from({ length: size }, () => random.integerBelow(2 * TOP + 1) - TOP),
              random,
            ),
          );
          await compareAll(known, random);
        }
      });
    }

    for (const size of [1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, ...sizes]) {
      it(`has no edge at d = ${size}`, async () => {
        const random = keyedRandom("size", size);
        await compareAll(mixed(random, 5, size), random);
      });
    }

    it("agrees on random values, wide and narrow", async () => {
      for (const value of [wide, narrow]) {
        await fc.assert(
          fc.asyncProperty(vectors(value), fc.nat(), async (updates, seed) => {
            await compareAll(updates.map(dense), keyedRandom("property", seed));
          }),
          { seed: 61, numRuns: 60 },
        );
      }
    });

    it("reaches both ends of a weighted sum: one update of ±(2^24 − 1) with all the weight, and 2 048 with a part", async () => {
      const ends = await kernels.weightedSum([dense([TOP, -TOP]).chunk], Uint32Array.of(65_536));
      assert.deepEqual([...ends], [TOP * 65_536, -TOP * 65_536]);
      const many = new Array<UpdateChunk>(2_048).fill(dense([TOP, -TOP, 1]).chunk);
      const sum = await kernels.weightedSum(many, new Uint32Array(2_048).fill(32));
      assert.deepEqual([...sum], [TOP * 65_536, -TOP * 65_536, 65_536]);
    });

    it("has no −0 in its results", async () => {
      const zeros = [dense([0, -1, 5]).chunk, dense([0, 1, -5]).chunk];
      for (const result of [
        await kernels.weightedSum(zeros, Uint32Array.of(0, 0)),
        await kernels.weightedSum([dense([-1, 0, 0]).chunk], Uint32Array.of(0)),
        await kernels.coordinateMedian(zeros),
        await kernels.trimmedMean(zeros, 0),
        await kernels.meanAroundMedian(zeros, 2),
      ]) {
        for (const value of result) assert.ok(Object.is(value, 0), String(value));
      }
    });

    // A bound that is proven for int16 lanes or 12-bit limbs is met exactly by constant vectors, and exceeded by one more.
    for (const largest of [
      127,
      128,
      4_095,
      4_096,
      5_792,
      5_793,
      8_191,
      8_192,
      11_585,
      16_383,
      23_170,
      32_767,
      32_768,
      TOP,
    ]) {
      it(`has exact inner products of long vectors of ±${largest}: all pairs`, async () => {
        const size = 20_011;
        const random = keyedRandom("gram", largest);
        const constant = new Int32Array(size).fill(largest);
        const signs = Int32Array.from(constant, (q) => (random.integerBelow(2) === 0 ? q : -q));
        const alternating = Int32Array.from(constant, (q, j) => (j % 2 === 0 ? q : -q));
        const updates = [signs, constant, constant.map((q) => -q), alternating, constant.map((q) => -q), constant];
        const gram = await kernels.gram(denseOf(updates));
        for (const [i, x] of updates.entries()) {
          for (const [k, y] of updates.entries()) assert.equal(gram[i]?.[k], oracle.dot(x, y), `⟨${i}, ${k}⟩`);
        }
        sameResult(
          await kernels.squaredDistances(denseOf(updates), dense(constant).chunk),
          updates.map((x) => oracle.squaredDistance(x, constant)),
        );
      });
    }

    it("is exact for 20 small updates with one coordinate of one spiked to 2^24 − 1", async () => {
      const random = keyedRandom("spike");
      const updates = Array.from({ length: 20 }, () =>
        Int32Array.from({ length: 3_000 }, () => random.integerBelow(8_001) - 4_000),
      );
      (updates[13] as Int32Array)[1_234] = TOP;
      await compareAll(updates.map(dense), random);
    });

    it("by hand: medians, trimmed means, Bulyan's mean around the median", async () => {
      const column = (...values: number[]): UpdateChunk[] => values.map((q) => dense([q]).chunk);
      const one = async (result: Promise<Float64Array>): Promise<number> => ((await result)[0] as number) / 65_536;
      assert.equal(await one(kernels.coordinateMedian(column(10, 1, 2))), 2);
      assert.equal(await one(kernels.coordinateMedian(column(10, 3, 1, 2))), 2.5);
      assert.equal(await one(kernels.coordinateMedian(column(-1, -2))), -1.5);
      assert.equal(await one(kernels.coordinateMedian(column(TOP, TOP - 1))), TOP - 0.5);
      assert.equal(await one(kernels.trimmedMean(column(-5, 1, 2, 3, 100), 1)), 2);
      assert.equal(await one(kernels.trimmedMean(column(-5, 1, 2, 3, 100), 0)), 1_323_827 / 65_536); // 20.2, rounded
      assert.equal(await one(kernels.meanAroundMedian(column(22, 31, 10, 45, 0), 3)), 21);
      assert.equal(await one(kernels.meanAroundMedian(column(0, 10, 20), 2)), 5); // 0 and 20 are equally far
      // Half a step of the master grid, away from zero on both sides: 1/2^16 · 1/… needs n not dividing 2^16.
      assert.equal((await kernels.trimmedMean(column(1, 0, 0), 0))[0], 21_845); // 21 845.33
      assert.equal((await kernels.trimmedMean(column(-1, -1, 0), 0))[0], -43_691); // −43 690.67
    });

    it("leaves what it was given as it was, and works on its own memory as on any other", async () => {
      const random = keyedRandom("untouched");
      const known = mixed(random, 6, 100);
      const snapshot = structuredClone(chunksOf(known));
      const memories = known.map(() => kernels.allocate(4 * 100));
      const own = known.map(({ values }, k): UpdateChunk => {
        const { bytes } = memories[k] as (typeof memories)[number];
        const copy = new Int32Array(bytes.buffer, bytes.byteOffset, 100);
        copy.set(values);
        return { kind: "dense", values: copy };
      });
      await compareAll(known, random);
      sameResult(await kernels.gram(own), await kernels.gram(chunksOf(known)));
      sameResult(await kernels.coordinateMedian(own), await kernels.coordinateMedian(chunksOf(known)));
      const weights = weightsFor(random, 6);
      sameResult(await kernels.weightedSum(own, weights), await kernels.weightedSum(chunksOf(known), weights));
      for (const memory of memories) memory.free();
      assert.deepEqual(chunksOf(known), snapshot);
    });

    for (const given of readKernelCases()) {
      it(`gives what test/vectors/kernels.json says: ${given.name}`, async () => {
        const { known, weights } = inputsOf(given);
        const chunks = chunksOf(known);
        const digests = {
          weightedSum: digestOf(await kernels.weightedSum(chunks, weights)),
          gram: digestOf(await kernels.gram(chunks)),
          squaredNorms: digestOf(await kernels.squaredNorms(chunks)),
          squaredDistances: digestOf(await kernels.squaredDistances(chunks, chunks[0] as UpdateChunk)),
          coordinateMedian: digestOf(await kernels.coordinateMedian(chunks)),
          trimmedMean: digestOf(await kernels.trimmedMean(chunks, given.trim)),
          meanAroundMedian: digestOf(await kernels.meanAroundMedian(chunks, given.nearest)),
        };
        assert.deepEqual(digests, given.digests);
      });
    }

    it("takes calls that overlap, and empty sparse updates", async () => {
      const random = keyedRandom("overlap");
      const sets = Array.from({ length: 6 }, (_, i) => mixed(random, 4 + i, 300));
      const sums = await Promise.all(
        sets.map((known) => kernels.weightedSum(chunksOf(known), new Uint32Array(known.length).fill(1_000))),
      );
      for (const [i, known] of sets.entries()) {
        const weights = new Uint32Array(known.length).fill(1_000);
        sameResult([...(sums[i] as Float64Array)], oracle.weightedSum(valuesOf(known), weights));
      }
      const nothing = [sparse([0, 0, 0]), sparse([0, 0, 0])];
      await compareAll(nothing, random);
    });
  });
}
