// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { WideKernels } from "../../../src/aggregation/kernels/kernels.ts";
import { UPDATE_LIMIT } from "../../../src/protocol/grid.ts";
import { type ModelLayout, modelLayout } from "../../../src/protocol/layout.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import { flatLayout } from "../fixtures.ts";

const TOP = UPDATE_LIMIT - 1;
const LAYOUT = modelLayout([
  { name: "a", shape: [4], fractionBits: 18, group: 0 },
  { name: "b", shape: [3], fractionBits: 12, group: 1 },
]);

const edge = fc.constantFrom(0, 1, -1, TOP, -TOP, 4095, 4096, -4095, -4096, -4097, 32_767, -32_767, 32_768, -32_768);
const wide = fc.oneof(fc.integer({ min: -TOP, max: TOP }), edge);
const narrow = fc.integer({ min: -32_767, max: 32_767 });
const vectors = (value: fc.Arbitrary<number>): fc.Arbitrary<Int32Array[]> =>
  fc.array(
    fc.array(value, { minLength: LAYOUT.size, maxLength: LAYOUT.size }).map((row) => Int32Array.from(row)),
    { minLength: 1, maxLength: 9 },
  );

const exactDot = (x: Int32Array, y: Int32Array, layout: ModelLayout): bigint =>
  layout.tensors.reduce((total, { offset, size, fractionBits }) => {
    let sum = 0n;
    for (let j = offset; j < offset + size; j++) sum += BigInt(x[j] as number) * BigInt(y[j] as number);
    return total + sum * 4n ** BigInt(layout.maxFractionBits - fractionBits);
  }, 0n);

/** What every backend of the wide kernels must do, compared with BigInt arithmetic. */
export function describeKernels(name: string, kernels: WideKernels): void {
  describe(`${name}: weightedSum`, () => {
    it("is exact, with each tensor's own column of weights", async () => {
      const weighed = vectors(wide).chain((updates) =>
        fc
          .array(fc.integer({ min: 0, max: 7_000 }), { minLength: 2 * updates.length, maxLength: 2 * updates.length })
          .map((weights) => ({ updates, weights: Uint32Array.from(weights) })),
      );
      await fc.assert(
        fc.asyncProperty(weighed, async ({ updates, weights }) => {
          const sum = await kernels.weightedSum(updates, weights, LAYOUT);
          for (let j = 0; j < LAYOUT.size; j++) {
            const group = j < 4 ? 0 : 1;
            const exact = updates.reduce(
              (total, q, k) => total + BigInt(weights[2 * k + group] as number) * BigInt(q[j] as number),
              0n,
            );
            assert.equal(BigInt(sum[j] as number), exact);
          }
        }),
        { seed: 61, numRuns: 100 },
      );
    });

    it("reaches both ends of its range: one update of ±(2^24 − 1) with all the weight", async () => {
      const sum = await kernels.weightedSum([Int32Array.of(TOP, -TOP)], Uint32Array.of(65_536), flatLayout(2));
      assert.deepEqual([...sum], [TOP * 65_536, -TOP * 65_536]);
    });
  });

  describe(`${name}: gram`, () => {
    for (const [range, value] of [
      ["int16 values", narrow],
      ["all grid values", wide],
    ] as const) {
      it(`is exact and symmetric for ${range}, across tensors of different F`, async () => {
        await fc.assert(
          fc.asyncProperty(vectors(value), async (updates) => {
            const gram = await kernels.gram(updates, LAYOUT);
            for (const [i, x] of updates.entries()) {
              for (const [k, y] of updates.entries()) assert.equal(gram[i]?.[k], exactDot(x, y, LAYOUT));
            }
          }),
          { seed: 62, numRuns: 100 },
        );
      });
    }

    for (const largest of [32_767, 32_768, TOP]) {
      it(`is exact over many blocks of ±${largest}`, async () => {
        const layout = flatLayout(20_011);
        const random = keyedRandom("gram", largest);
        const signs = (): Int32Array =>
          Int32Array.from({ length: layout.size }, () => (random.integerBelow(2) === 0 ? largest : -largest));
        const updates = [
          signs(),
          new Int32Array(layout.size).fill(largest),
          new Int32Array(layout.size).fill(-largest),
        ];
        const gram = await kernels.gram(updates, layout);
        for (const [i, x] of updates.entries()) {
          for (const [k, y] of updates.entries()) assert.equal(gram[i]?.[k], exactDot(x, y, layout));
        }
      });
    }
  });

  describe(`${name}: coordinateMedian`, () => {
    it("by hand: the median of (1, 2, 10) is 2, of (1, 2, 3, 10) it is 2.5", async () => {
      const median = async (...column: number[]): Promise<number> =>
        (
          await kernels.coordinateMedian(
            column.map((q) => Int32Array.of(q)),
            flatLayout(1),
          )
        )[0] as number;
      assert.equal(await median(10, 1, 2), 2 * 65_536);
      assert.equal(await median(10, 3, 1, 2), 2.5 * 65_536);
      assert.equal(await median(-1, -2), -1.5 * 65_536);
      assert.equal(await median(TOP, TOP - 1), (TOP - 0.5) * 65_536);
      assert.equal(await median(7), 7 * 65_536);
    });

    it("agrees with sorting", async () => {
      await fc.assert(
        fc.asyncProperty(vectors(wide), async (updates) => {
          const result = await kernels.coordinateMedian(updates, LAYOUT);
          for (let j = 0; j < LAYOUT.size; j++) {
            const column = updates.map((q) => q[j] as number).sort((a, b) => a - b);
            const twice = (column[(column.length - 1) >> 1] as number) + (column[column.length >> 1] as number);
            assert.equal(result[j], twice * 32_768);
          }
        }),
        { seed: 63, numRuns: 100 },
      );
    });
  });

  it(`${name}: leaves the updates as they were`, async () => {
    const updates = [Int32Array.of(3, 1, 2), Int32Array.of(-9, 5, 0)];
    const before = updates.map((q) => [...q]);
    const layout = flatLayout(3);
    await kernels.gram(updates, layout);
    await kernels.coordinateMedian(updates, layout);
    await kernels.weightedSum(updates, Uint32Array.of(1, 2), layout);
    assert.deepEqual(
      updates.map((q) => [...q]),
      before,
    );
  });
}
