// SPDX-License-Identifier: Apache-2.0
// Every accumulator of assembly/ at its bound and one beyond: constant vectors, whose results are known without computing them.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openCpuKernels } from "../../../src/kernels/cpu/cpuKernels.ts";
import type { UpdateChunk } from "../../../src/protocol/updateChunk.ts";
import type { WideKernels } from "../../../src/protocol/wideKernels.ts";
import { sameResult } from "../../support/sameResult.ts";
import { TOP } from "../chunks.ts";

let kernels: WideKernels;
before(async () => {
  kernels = await openCpuKernels({ threads: 1 });
});
after(() => kernels.close());

const constant = (q: number, size: number): UpdateChunk => ({ kind: "dense", values: new Int32Array(size).fill(q) });

/** Blocks in which every scale and every level is the same. */
function constantBlocks(scale: number, level: number, valueBytes: 1 | 2, size: number, blockSize = 64): UpdateChunk {
  const blocks = Math.ceil(size / blockSize);
  const bytes = new Uint8Array(4 * blocks + valueBytes * size);
  const view = new DataView(bytes.buffer);
  for (let block = 0, at = 0; block < blocks; block++) {
    view.setUint32(at, scale);
    at += 4;
    for (let j = block * blockSize; j < Math.min(size, (block + 1) * blockSize); j++, at += valueBytes) {
      if (valueBytes === 1) view.setInt8(at, level);
      else view.setInt16(at, level);
    }
  }
  return { kind: "blocks", bytes, valueBytes, blockSize, skip: 0, count: size };
}

describe("Gram: the widening intervals", () => {
  /** Two tiles and a tail. */
  const SIZE = 2_055;
  const cases: Record<string, number> = {
    "no widening in a tile": 2_896,
    "an interval of 126 steps": 2_897,
    "the shortest interval of one plane": 13_377,
    "the first of two planes": 13_378,
    "the last of two planes": 32_767,
    "the first of three planes": 32_768,
    "the largest upper limb": 4_096 * 4_096 - 2_048,
    "the largest sum of limbs": 4_095 * 4_096 + 2_047,
    "the smallest sum of limbs": 4_095 * 4_096 + 2_048,
    "the end of the grid": TOP,
  };
  for (const [name, q] of Object.entries(cases)) {
    it(`${name}: ±${q}`, async () => {
      const values = [q, -q, -q, q, -q];
      const gram = await kernels.gram(values.map((value) => constant(value, SIZE)));
      const square = BigInt(SIZE) * BigInt(q) ** 2n;
      assert.deepEqual(
        gram,
        values.map((x) => values.map((y) => (x === y ? square : -square))),
      );
    });
  }

  it("a tile splits as its largest value asks, whatever the tile before was", async () => {
    const largest = [5, TOP, 20_000, 13_378, 5, 20_000, TOP, TOP, 1, 0];
    const x = Int32Array.from({ length: 1_024 * largest.length }, (_, j) => largest[j >> 10] as number);
    const gram = await kernels.gram([
      { kind: "dense", values: x },
      { kind: "dense", values: x.map((q) => -q) },
    ]);
    const square = largest.reduce((sum, q) => sum + 1_024n * BigInt(q) ** 2n, 0n);
    assert.deepEqual(gram, [
      [square, -square],
      [-square, square],
    ]);
  });

  it("more rows than a band, and than whole blocks of three", async () => {
    const values = Array.from({ length: 200 }, (_, k) => (k - 100) * 3_001);
    const gram = await kernels.gram(values.map((q) => constant(q, 17)));
    for (const [i, x] of values.entries()) {
      for (const [k, y] of values.entries()) assert.equal(gram[i]?.[k], 17n * BigInt(x) * BigInt(y), `⟨${i}, ${k}⟩`);
    }
  });
});

describe("squares: int64 lanes of one tile", () => {
  it("of differences of 2^25 − 2", async () => {
    const size = 8_195;
    const far = BigInt(2 * TOP) ** 2n * BigInt(size);
    assert.deepEqual(
      await kernels.squaredDistances([constant(TOP, size), constant(-TOP, size)], constant(-TOP, size)),
      [far, 0n],
    );
  });
});

describe("weighted sum: the accumulators", () => {
  /** Ways to spend all of 2^16, heavy weights in parts among them. */
  const SPENT: readonly (readonly number[])[] = [
    [65_536],
    [32_768, 32_768],
    [32_767, 32_767, 2],
    [32_767, 32_769],
    [0, 65_535, 0, 0, 1],
    new Array<number>(9).fill(7_281).concat([7]),
    new Array<number>(2_048).fill(32),
  ];
  for (const q of [0, 1, -1, 65_535, 65_536, -65_536, 32_767, 32_768, -32_768, -32_769, TOP, -TOP]) {
    it(`dense, everyone at ${q}`, async () => {
      for (const weights of SPENT) {
        const sum = await kernels.weightedSum(
          weights.map(() => constant(q, 21)),
          Uint32Array.from(weights),
        );
        assert.deepEqual(new Set(sum), new Set([q * 65_536]), `${weights.length} updates`);
      }
    });
  }

  it("dense, half of everything against the other half", async () => {
    const chunks = [constant(TOP, 9), constant(-TOP, 9), constant(-65_536, 9), constant(65_535, 9)];
    const sum = await kernels.weightedSum(chunks, Uint32Array.of(16_384, 16_384, 16_384, 16_384));
    assert.deepEqual(new Set(sum), new Set([-16_384]));
  });

  interface BlocksCase {
    readonly valueBytes: 1 | 2;
    readonly updates: number;
    readonly weight: number;
    readonly scale: number;
    readonly level: number;
  }
  const blockCases: Record<string, BlocksCase> = {
    // 127·258 = 32 766: as much as a limb of 15 bits holds of a multiple of 127.
    "int8, full limbs, as many as one accumulator takes": {
      valueBytes: 1,
      updates: 512,
      weight: 127,
      scale: 258,
      level: 127,
    },
    "int8, one more": { valueBytes: 1, updates: 513, weight: 127, scale: 258, level: -127 },
    "int8, the largest scale": { valueBytes: 1, updates: 1, weight: 65_536, scale: TOP, level: -1 },
    "int8, the largest scale with the largest level": {
      valueBytes: 1,
      updates: 2,
      weight: 32_768,
      scale: 132_104,
      level: 127,
    },
    "int8, one limb exactly": { valueBytes: 1, updates: 2, weight: 32_767, scale: 1, level: -127 },
    "int8, two limbs by one bit": { valueBytes: 1, updates: 2, weight: 32_768, scale: 1, level: -127 },
    "int8, three limbs by one bit": { valueBytes: 1, updates: 2, weight: 32_768, scale: 32_768, level: 127 },
    // 89·23 = 2 047, a full limb of 11 bits; 33 such updates would leave int32.
    "int16, full limbs, as many as one accumulator takes": {
      valueBytes: 2,
      updates: 32,
      weight: 89,
      scale: 23,
      level: 32_767,
    },
    "int16, more": { valueBytes: 2, updates: 77, weight: 89, scale: 23, level: -32_767 },
    "int16, two limbs by one bit": { valueBytes: 2, updates: 32, weight: 2_048, scale: 1, level: 32_767 },
    "int16, three limbs by one bit": { valueBytes: 2, updates: 4, weight: 16_384, scale: 256, level: 32_767 },
    "int16, four limbs": { valueBytes: 2, updates: 1, weight: 65_536, scale: TOP, level: 1 },
    "int16, the largest scale with the largest level": {
      valueBytes: 2,
      updates: 128,
      weight: 512,
      scale: 512,
      level: -32_767,
    },
  };
  for (const [name, { valueBytes, updates, weight, scale, level }] of Object.entries(blockCases)) {
    it(name, async () => {
      const sum = await kernels.weightedSum(
        Array.from({ length: updates }, () => constantBlocks(scale, level, valueBytes, 75)),
        new Uint32Array(updates).fill(weight),
      );
      assert.equal(sum.length, 75);
      assert.deepEqual(new Set(sum), new Set([updates * weight * scale * level]));
    });
  }
});

describe("weighted sum of blocks: runs, pieces and streams", () => {
  /** Scales that need one limb, all limbs, and 0 levels; every block of every update another one. */
  const SCALES = [1, 3, 300, 40_000, 132_104, TOP];
  const draw = (i: number): number => Math.imul(i + 1, 2_654_435_761) >>> 8;

  for (const valueBytes of [1, 2] as const) {
    for (const [updates, blockSize, skip] of [
      [1, 1, 0],
      [3, 7, 5],
      [4, 128, 0],
      [9, 100, 37],
      [21, 128, 127],
      [70, 2_100, 2_049],
    ] as const) {
      it(`${updates} updates of ${valueBytes} bytes in blocks of ${blockSize}, ${skip} left out`, async () => {
        // Two runs of 2 048 and some coordinates more.
        const size = 4_105;
        const weight = Math.floor(65_536 / updates);
        const expected = new Float64Array(size);
        const chunks = Array.from({ length: updates }, (_, k): UpdateChunk => {
          const blocks = Math.ceil((skip + size) / blockSize);
          const bytes = new Uint8Array(4 * blocks + valueBytes * (skip + size));
          const view = new DataView(bytes.buffer);
          for (let j = 0, at = 0, scale = 0, most = 0; j < skip + size; j++, at += valueBytes) {
            if (j % blockSize === 0) {
              scale = SCALES[draw(j + 31 * k) % SCALES.length] as number;
              most = Math.min(valueBytes === 1 ? 127 : 32_767, Math.floor(TOP / scale));
              view.setUint32(at, scale);
              at += 4;
            }
            const level = (draw(7 * j + 1_009 * k) % (2 * most + 1)) - most;
            if (valueBytes === 1) view.setInt8(at, level);
            else view.setInt16(at, level);
            if (j >= skip) expected[j - skip] = (expected[j - skip] as number) + weight * scale * level;
          }
          return { kind: "blocks", bytes, valueBytes, blockSize, skip, count: size };
        });
        sameResult(await kernels.weightedSum(chunks, new Uint32Array(updates).fill(weight)), expected);
      });
    }
  }
});

describe("order statistics: 2 048 updates", () => {
  it("sums and rounds exactly at both ends of the grid", async () => {
    // 1 365 at the top and 683 at the bottom, none of them in order.
    const chunks = Array.from({ length: 2_048 }, (_, k) => constant((k * 683) % 2_048 < 1_365 ? TOP : -TOP, 3));
    const mean = (upper: number, lower: number): number => {
      const n = BigInt(upper + lower);
      const a = 65_536n * BigInt(TOP) * BigInt(upper - lower);
      const magnitude = a < 0n ? -a : a;
      const rounded = (2n * magnitude + n) / (2n * n);
      return Number(a < 0n ? -rounded : rounded);
    };
    assert.deepEqual(new Set(await kernels.trimmedMean(chunks, 0)), new Set([mean(1_365, 683)]));
    assert.deepEqual(new Set(await kernels.trimmedMean(chunks, 600)), new Set([mean(765, 83)]));
    assert.deepEqual(new Set(await kernels.coordinateMedian(chunks)), new Set([TOP * 65_536]));
    assert.deepEqual(new Set(await kernels.meanAroundMedian(chunks, 1_365)), new Set([mean(1_365, 0)]));
    assert.deepEqual(new Set(await kernels.meanAroundMedian(chunks, 2_047)), new Set([mean(1_365, 682)]));
  });
});
