// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addWeighted } from "../../src/aggregation/addWeighted.ts";
import { type Aggregate, aggregate } from "../../src/aggregation/aggregate.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import {
  joinMaster,
  MASTER_LIMIT,
  MASTER_MIN,
  masterDistanceSq,
  splitMaster,
  UPDATE_LIMIT,
} from "../../src/protocol/grid.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { valuesOf } from "../support/valuesOf.ts";
import { aggregateInMemory, cloud, flatLayout, type InMemory, nameOf, RULES, updatesOf } from "./fixtures.ts";

const ALPHA = 58_982;
const TOP = UPDATE_LIMIT - 1;
const run = (
  config: AggregationConfig,
  rows: readonly ArrayLike<number>[],
  changes: Partial<InMemory> & { samples?: number[] } = {},
): Promise<Aggregate & { master: Float64Array }> => {
  const size = rows[0]?.length ?? 1;
  const { samples, ...rest } = changes;
  return aggregateInMemory({
    updates: updatesOf(rows, samples),
    reputations: rows.map(() => 65_536),
    alphaQ16: ALPHA,
    config,
    master: new Float64Array(size),
    layout: flatLayout(size),
    ...rest,
  });
};
const rowsOf = (count: [number, number], size: number, magnitude: number): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(fc.integer({ min: -magnitude, max: magnitude }), { minLength: size, maxLength: size }), {
    minLength: count[0],
    maxLength: count[1],
  });
const linear = RULES.filter((config) => !ruleOf(config).coordinateWise);
/** Rows repeated from the first on until a rule has enough of them. */
const atLeast = (count: number, rows: readonly number[][]): number[][] =>
  Array.from({ length: Math.max(count, rows.length) }, (_, i) => rows[i % rows.length] as number[]);
/** Divisible by whatever the steps in RULES divide 24 updates or fewer by, one after the other. */
const DIVISIBLE = 55_440;

for (const config of RULES) {
  const name = nameOf(config);
  const rule = ruleOf(config);
  const least = rule.minUpdates;
  const steps = (config.before ?? []).map(({ step }) => step);
  const rounded = rule.coordinateWise && steps.length > 0;
  /** It starts from the head, so what it makes of updates is not what it makes of them moved or scaled; and not all weight is spent. */
  const anchored = config.rule === "centred-clipping";
  /** Whatever is told apart by its id alone: whose bucket one is in, or which of two nearest neighbours scores the same (centred on the last two
   * or three that Bulyan selects from). */
  const byId = steps.includes("bucketing") || config.rule === "bulyan";
  const runs = steps.length > 0 ? 10 : 40;

  describe(`${name}, as every rule`, () => {
    if (!anchored) {
      it("gives what all agree on", async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.integer({ min: -TOP, max: TOP }), { minLength: 3, maxLength: 3 }),
            fc.integer({ min: least, max: least + 8 }),
            async (row, count) => {
              const result = await run(config, new Array(count).fill(row));
              assert.deepEqual(
                [...result.master],
                row.map((q) => q * 65_536 + 0),
              );
            },
          ),
          { seed: 81, numRuns: runs },
        );
      });

      it("moves with a translation of all updates, in every bit", async () => {
        // Halves are rounded away from zero, so mixed vectors are rounded alike only on one side of it.
        const lowest = rounded ? 3_000_000 : 0;
        await fc.assert(
          fc.asyncProperty(
            rowsOf([least, least + 6], 4, 3_000_000),
            fc.integer({ min: rounded ? 0 : -TOP + 3_000_000, max: TOP - 6_000_000 }),
            async (arbitrary, v) => {
              const rows = arbitrary.map((row) => row.map((q) => q + lowest));
              const [here, there] = [
                await run(config, rows),
                await run(
                  config,
                  rows.map((row) => row.map((q) => q + v)),
                ),
              ];
              assert.deepEqual(there.weights, here.weights);
              assert.deepEqual(
                there.master,
                here.master.map((m) => m + v * 65_536),
              );
            },
          ),
          { seed: 82, numRuns: runs },
        );
      });

      it("scales with all updates by a power of two: in every bit where it weighs, else but for its one rounding", async () => {
        const unit = rounded ? DIVISIBLE : 1;
        await fc.assert(
          fc.asyncProperty(
            rowsOf([least, least + 6], 4, Math.floor(1_000_000 / unit)),
            fc.constantFrom(2, 4, 16),
            async (arbitrary, factor) => {
              const rows = arbitrary.map((row) => row.map((q) => q * unit));
              const [once, scaled] = [
                await run(config, rows),
                await run(
                  config,
                  rows.map((row) => row.map((q) => factor * q)),
                ),
              ];
              const exact = !rule.coordinateWise || config.rule === "coordinate-median";
              for (const [j, m] of scaled.master.entries())
                assert.ok(Math.abs(m - factor * (once.master[j] as number)) <= (exact ? 0 : factor / 2));
            },
          ),
          { seed: 83, numRuns: runs },
        );
      });
    }

    if (!byId) {
      it("decides the same whoever the members are; rounding may move a unit of weight", async () => {
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: least + 2, max: least + 6 }), fc.nat(), async (count, seed) => {
            const rows = cloud(keyedRandom("relabel", seed), count, 5, 0, 200_000);
            const order = keyedRandom("order", seed).permutation(rows.length);
            const [plain, shuffled] = [
              await run(config, rows),
              await run(
                config,
                order.map((i) => rows[i] as Int32Array),
              ),
            ];
            for (const [to, from] of order.entries()) {
              assert.equal(shuffled.kept[to], plain.kept[from]);
              assert.ok(Math.abs((shuffled.weights[to] as number) - (plain.weights[from] as number)) <= 1);
            }
            if (rule.coordinateWise) assert.deepEqual(shuffled.master, plain.master);
          }),
          { seed: 84, numRuns: runs },
        );
      });
    }

    it("stays between the smallest and the largest value of each coordinate", async () => {
      await fc.assert(
        fc.asyncProperty(rowsOf([least, least + 8], 3, TOP), async (rows) => {
          const { master } = await run(config, rows);
          for (const [j, m] of master.entries()) {
            const column = rows.map((row) => (row[j] as number) * 65_536);
            if (anchored) column.push(0);
            assert.ok(m >= Math.min(...column) && m <= Math.max(...column));
          }
        }),
        { seed: 85, numRuns: runs },
      );
    });

    it("survives all-zero updates, one zero update, one coordinate, and all alike but one far", async () => {
      const zeros = await run(config, new Array(Math.max(5, least)).fill([0, 0]));
      assert.deepEqual([...zeros.master], [0, 0]);
      assert.equal(zeros.updateNormSq, 0n);
      for (const rows of [
        [
          [1, 2],
          [0, 0],
          [3, 1],
          [2, 2],
        ],
        [[5], [6], [7], [8]],
        [
          [5, 5],
          [5, 5],
          [TOP, -TOP],
          [6, 4],
        ],
      ]) {
        const { master, weights } = await run(config, atLeast(least, rows));
        assert.ok(master.every((m) => Number.isInteger(m) && !Object.is(m, -0)));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        assert.ok(anchored ? sum <= 65_536 : sum === 65_536);
      }
    });

    it(`refuses fewer than ${least} updates, with the number it needs`, async () => {
      for (let count = 0; count < least; count++)
        await assert.rejects(run(config, new Array(count).fill([1])), {
          code: "TOO_FEW_UPDATES",
          values: { rule: config.rule, needed: least, updates: count },
        });
      await run(config, new Array(least).fill([1]));
    });

    it("gives the same bits for any size of chunk", async () => {
      const rows = cloud(keyedRandom("chunks", name), least + 1, 9_000, 10, 3_000);
      const [whole, pieces] = [await run(config, rows), await run(config, rows, { memoryBytes: 1 })];
      assert.deepEqual(pieces, whole);
    });

    it("reports the exact squared movement and every reputation", async () => {
      const layout = modelLayout([
        { name: "a", shape: [2], fractionBits: 18, group: 0 },
        { name: "b", shape: [2], fractionBits: 16, group: 1 },
      ]);
      const master = Float64Array.of(1, -70_000, 5, 1e9);
      const rows = atLeast(least, [
        [1, 2, 3, 4],
        [-5, 6, 7, 8],
        [9, 10, 2, 12],
        [3, 4, 5, 6],
        [90_000, 0, 0, 1],
      ]);
      const reputations = rows.map((_, i) => [65_536, 1, 30_000, 0, 65_536][i % 5] as number);
      const result = await run(config, rows, { layout, master, reputations });
      assert.equal(result.updateNormSq, masterDistanceSq(result.master, master, layout));
      for (const [i, kept] of result.kept.entries()) {
        const expected =
          (BigInt(ALPHA) * BigInt(reputations[i] as number) + BigInt(65_536 - ALPHA) * (kept ? 65_536n : 0n)) >> 16n;
        assert.equal(BigInt(result.reputations[i] as number), expected);
      }
      assert.equal(result.weights.length, 2 * rows.length);
      for (const group of [0, 1]) {
        const sum = result.weights.reduce((total, weight, at) => (at % 2 === group ? total + weight : total), 0);
        assert.ok(anchored ? sum <= 65_536 : sum === 65_536);
        for (const [i, kept] of result.kept.entries())
          assert.equal((result.weights[2 * i + group] as number) > 0, kept);
      }
    });
  });
}

for (const config of linear) {
  describe(`${nameOf(config)}, as every weighing rule`, () => {
    it("is Σ λ_k q_k exactly: 20 updates, one coordinate of one spiked to 2^24 − 1", async () => {
      const random = keyedRandom("spiked", nameOf(config));
      const rows = cloud(random, 20, 50, 0, 4_000);
      (rows[13] as Int32Array)[31] = TOP;
      const master = Float64Array.from({ length: 50 }, () => random.integerBelow(2 ** 32) * 64 - 2 ** 37);
      const { weights, master: moved } = await run(config, rows, {
        master,
        samples: rows.map(() => 1 + random.integerBelow(900)),
      });
      for (const [j, m] of moved.entries()) {
        const exact = rows.reduce(
          (sum, row, k) => sum + BigInt(weights[k] as number) * BigInt(row[j] as number),
          BigInt(master[j] as number),
        );
        assert.equal(BigInt(m), exact);
      }
    });

    it("gives the same weights to rotated updates: coordinates exchanged and reflected", async () => {
      const rows = cloud(keyedRandom("rotate"), ruleOf(config).minUpdates + 7, 30, 10, 2_000);
      const rotated = rows.map((row) =>
        Int32Array.from(row, (_, j) => (j % 3 === 0 ? -1 : 1) * (row[(7 * j + 3) % 30] as number)),
      );
      assert.deepEqual((await run(config, rotated)).weights, (await run(config, rows)).weights);
    });

    it("addWeighted with the round's own weights makes the same model", async () => {
      const rows = cloud(keyedRandom("coalition"), ruleOf(config).minUpdates + 5, 10, 100, 50);
      const master = new Float64Array(10).fill(12_345);
      const { weights, master: moved } = await run(config, rows, { master });
      assert.deepEqual(await addWeighted(master, updatesOf(rows), weights, flatLayout(10)), moved);
    });
  });
}

describe("weighted mean", () => {
  it("by hand: (1,2) and (3,−2) with 10 and 30 samples give (2.5, −1)", async () => {
    const { master, weights } = await run(
      { rule: "weighted-mean" },
      [
        [1, 2],
        [3, -2],
      ],
      { samples: [10, 30] },
    );
    assert.deepEqual([...weights], [16_384, 49_152]);
    assert.deepEqual([...master], [2.5 * 65_536, -1 * 65_536]);
  });

  it("one update is taken as it is", async () => {
    assert.deepEqual([...(await run({ rule: "weighted-mean" }, [[7, -7]])).master], [7 * 65_536, -7 * 65_536]);
  });

  it("takes 2 048 updates at the grid's limit without leaving exact arithmetic, and no more", async () => {
    const rows = new Array<number[]>(2_048).fill([TOP]);
    assert.deepEqual([...(await run({ rule: "weighted-mean" }, rows)).master], [TOP * 65_536]);
    await assert.rejects(run({ rule: "weighted-mean" }, [...rows, [0]]), { code: "TOO_MANY_UPDATES" });
  });
});

describe("coordinate median", () => {
  it("moves to the middle of each coordinate, halves included, and records equal weights", async () => {
    const { master, weights, kept } = await run({ rule: "coordinate-median" }, [
      [1, 10],
      [2, -10],
      [3, 0],
      [10, 5],
    ]);
    assert.deepEqual([...master], [2.5 * 65_536, 2.5 * 65_536]);
    assert.deepEqual([...weights], [16_384, 16_384, 16_384, 16_384]);
    assert.deepEqual(kept, [true, true, true, true]);
  });
});

describe("breakdown: as many updates as a rule tolerates at the far corner of the grid", () => {
  const K = 15;
  const rowsWith = (attackers: number): { honest: Int32Array[]; rows: Int32Array[] } => {
    const honest = cloud(keyedRandom("breakdown"), K - attackers, 16, 50, 200);
    return { honest, rows: [...honest, ...new Array<Int32Array>(attackers).fill(new Int32Array(16).fill(TOP))] };
  };
  const distance = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Math.sqrt(Array.from(x).reduce((sum, value, j) => sum + (value - (y[j] as number)) ** 2, 0));
  const measure = async (
    config: AggregationConfig,
    attackers: number,
  ): Promise<{ miss: number; radius: number; unit: number }> => {
    const { honest, rows } = rowsWith(attackers);
    const mean = Array.from(
      { length: 16 },
      (_, j) => honest.reduce((sum, row) => sum + (row[j] as number), 0) / honest.length,
    );
    const { master } = await run(config, rows);
    return {
      miss: distance(
        master.map((m) => m / 65_536),
        mean,
      ),
      radius: Math.max(...honest.map((row) => distance(row, mean))),
      unit: distance(rows.at(-1) as Int32Array, mean) / 65_536,
    };
  };

  for (const config of RULES) {
    const tolerated = ruleOf(config).tolerates(K);
    if (tolerated === undefined || tolerated === 0) continue;
    it(`${nameOf(config)}: ${tolerated} of ${K} stay within the bound of the geometric median`, async () => {
      const { miss, radius, unit } = await measure(config, tolerated);
      // 2(K−f)/(K−2f) on the vectors that the rule sees, whose honest ones average to within one radius of the honest mean; and the unit of weight
      // that everything kept gets.
      const seen = config.before?.some(({ step }) => step === "bucketing") === true ? Math.ceil(K / 2) : K;
      const bound = ((2 * (seen - tolerated)) / (seen - 2 * tolerated) + 1) * radius;
      assert.ok(miss <= bound + tolerated * unit, `${miss} is beyond ${bound} and ${tolerated} units of ${unit}`);
    });
  }

  it("ByzFed leaves five attackers out", async () => {
    const { miss, radius } = await measure(
      { rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: false } },
      5,
    );
    assert.ok(miss <= radius);
  });
  it("the mean is carried away by one", async () => {
    const { miss, radius } = await measure({ rule: "weighted-mean" }, 1);
    assert.ok(miss > 100 * radius);
  });
});

describe("aggregate", () => {
  const mean: AggregationConfig = { rule: "weighted-mean" };

  it("reaches both ends of the master range and a remainder of −32 768, and the checkpoint's two parts hold them", async () => {
    const ends = [MASTER_MIN, MASTER_LIMIT - 1, -32_768, 32_767];
    const rows = [
      [-5, 5, -3, 3],
      [-5, 5, -3, 3],
    ];
    const master = Float64Array.from(ends, (end, j) => end - 65_536 * (rows[0]?.[j] as number));
    const { master: moved } = await run(mean, rows, { master });
    assert.deepEqual([...moved], ends);
    const layout = flatLayout(4);
    const { view, remainder } = splitMaster(moved, layout);
    assert.deepEqual([...remainder], [0, 32_767, -32_768, 32_767]);
    assert.deepEqual(joinMaster(view, remainder, layout), moved);
  });

  it("refuses to leave the master range by one unit, instead of clamping", async () => {
    await assert.rejects(run(mean, [[1]], { master: Float64Array.of(MASTER_LIMIT - 65_536) }), {
      code: "GRID_OVERFLOW",
    });
    await assert.rejects(run(mean, [[-1]], { master: Float64Array.of(MASTER_MIN + 65_535) }), {
      code: "GRID_OVERFLOW",
    });
  });

  it("does not make −0 out of a model that returns to zero", async () => {
    const { master } = await run(mean, [[-2], [0]], { master: Float64Array.of(65_536) });
    assert.ok(Object.is(master[0], 0));
  });

  it("leaves the parent and the updates as they were", async () => {
    const master = Float64Array.of(7, 8);
    const rows = Array.from({ length: 15 }, (_, i) => [2 * i + 1, 2 * i + 2]);
    const updates = updatesOf(rows);
    for (const config of RULES) await run(config, [[1, 2]], { master, updates, reputations: rows.map((_, i) => i) });
    assert.deepEqual([...master], [7, 8]);
    assert.deepEqual(await Promise.all(updates.map(async (update) => [...(await valuesOf(update))])), rows);
  });

  it("refuses members out of order or twice, and lists that do not belong together", async () => {
    const [a, b] = updatesOf([[1], [2]]);
    const bad = { code: "BAD_INPUT" };
    const two = { reputations: [1, 1] };
    await assert.rejects(run(mean, [[1]], { updates: [b as never, a as never], ...two }), bad);
    await assert.rejects(run(mean, [[1]], { updates: [a as never, a as never], ...two }), bad);
    await assert.rejects(run(mean, [[1], [2]], { reputations: [1] }), bad);
    await assert.rejects(run(mean, [[1, 2]], { layout: flatLayout(3) }), bad);
    await assert.rejects(run(mean, [[1, 2]], { layout: flatLayout(3), master: new Float64Array(3) }), bad);
    await assert.rejects(run(mean, [[1]], { alphaQ16: 65_536 }), bad);
    await assert.rejects(run(mean, [[1]], { samples: [0] }), bad);
  });

  it("gives memory back when nobody writes to it any more, also when the parent cannot be read", async () => {
    const events: string[] = [];
    const kernels: WideKernels = {
      ...referenceKernels,
      allocate: (bytes) => ({ bytes: new Uint8Array(bytes), free: () => void events.push("freed") }),
      weightedSum: async (updates, weights) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        events.push("summed");
        return referenceKernels.weightedSum(updates, weights);
      },
    };
    const master = { read: () => Promise.reject(new Error("unreadable")), write: async () => {} };
    const failing = aggregate({
      updates: updatesOf([[1], [2]]),
      reputations: [65_536, 65_536],
      alphaQ16: ALPHA,
      beacon: `0x${"00".repeat(32)}`,
      config: mean,
      layout: flatLayout(1),
      master,
      kernels,
    });
    await assert.rejects(failing, /unreadable/);
    assert.ok(events.length > 1);
    assert.deepEqual(events, ["summed", ...Array(events.length - 1).fill("freed")]);
  });
});
