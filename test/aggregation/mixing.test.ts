// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { integerWeights } from "../../src/aggregation/integerWeights.ts";
import { ruleOf } from "../../src/aggregation/rules.ts";
import { fromHex } from "../../src/protocol/bytes.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { AggregationConfig, PreAggregationConfig } from "../../src/protocol/recipe/aggregationConfig.ts";
import { nextReputation } from "../../src/protocol/reputation.ts";
import { BEACON, cloud, nameOf, RULES } from "./fixtures.ts";
import { line, outcome, tooFew } from "./run.ts";

const mixing = (byzantine: number) => ({ step: "nearest-neighbour-mixing", byzantine }) as const;
const bucketing = (size: number) => ({ step: "bucketing", size }) as const;
const median = (...before: PreAggregationConfig[]) => ({ rule: "coordinate-median", before }) as const;
const mean = (...before: PreAggregationConfig[]) => ({ rule: "weighted-mean", before }) as const;

describe("nearest-neighbour mixing", () => {
  it("by hand: 0, 3, 9, 30 with f = 1 become 4, 4, 4, 14", async () => {
    const rows = line(0, 3, 9, 30);
    assert.deepEqual((await outcome(median(mixing(1)), rows)).moved, [4]);
    // Their mean, 6.5, is 3, 4, 4 and 1 twelfths of the updates.
    const { weights, moved } = await outcome(mean(mixing(1)), rows);
    assert.deepEqual([...weights], [16_384, 21_846, 21_845, 5_461]);
    assert.ok(Math.abs((moved[0] as number) - 6.5) <= 42 / 65_536);
  });

  it("takes the lowest id of neighbours equally far: 2 takes 0 and not 4", async () => {
    // 0, 2, 4 become 1, 1, 3.
    assert.deepEqual((await outcome(median(mixing(1)), line(0, 2, 4))).moved, [1]);
    // 4, 2, 0 become 3, 3, 1.
    assert.deepEqual((await outcome(median(mixing(1)), line(4, 2, 0))).moved, [3]);
  });

  it("counts an update among its own nearest even beside identical ones of lower id", async () => {
    const { keptAt } = await outcome(
      { rule: "krum", parameters: { byzantine: 0 }, before: [mixing(1)] },
      line(5, 5, 5),
    );
    assert.deepEqual(keptAt, [0, 1]);
  });

  it("rounds mixed vectors to the update grid, half away from zero, before a rule that decides per coordinate", async () => {
    // 0, 1, 3, 10 become 4/3, 4/3, 4/3, 14/3; −1, 0, 5 become −½, −½, 2½.
    assert.deepEqual((await outcome(median(mixing(1)), line(0, 1, 3, 10))).moved, [1]);
    assert.deepEqual((await outcome(median(mixing(1)), line(-1, 0, 5))).moved, [-1]);
    assert.deepEqual((await outcome(median(mixing(1)), line(1, 0, -5))).moved, [1]);
  });

  it("rounds nothing before a rule that weighs", async () => {
    const { moved } = await outcome(mean(mixing(1)), line(0, 1, 3, 10));
    assert.ok(Math.abs((moved[0] as number) - 26 / 12) <= 14 / 65_536);
  });

  it("keeps whoever is part of a mixed vector that is kept", async () => {
    const { keptAt, weights } = await outcome(
      { rule: "krum", parameters: { byzantine: 1 }, before: [mixing(1)] },
      line(0, 1, 2, 3, 900),
    );
    assert.deepEqual(keptAt, [0, 1, 2, 3]);
    assert.deepEqual([...weights], [16_384, 16_384, 16_384, 16_384, 0]);
  });

  it("needs K ≥ 2f + 1, and what the rule needs", async () => {
    assert.equal(ruleOf(median(mixing(3))).minUpdates, 7);
    assert.equal(ruleOf({ rule: "bulyan", parameters: { byzantine: 1 }, before: [mixing(1)] }).minUpdates, 7);
    await assert.rejects(outcome(median(mixing(3)), line(1, 2, 3, 4, 5, 6)), tooFew(7, 6));
    assert.equal(ruleOf(median(mixing(2))).tolerates(11), 2);
    assert.equal(ruleOf(mean(mixing(2))).tolerates(11), 0);
    assert.equal(
      ruleOf({
        rule: "byzfed",
        parameters: { filter: "mad", k: 2, sizeWeighted: false },
        before: [mixing(2)],
      }).tolerates(11),
      undefined,
    );
  });

  it("survives what carries the median of unlike honest updates away, and not more than f", async () => {
    // Two coordinates each dear to half of the honest: the median alone forgets both as soon as attackers vote for 0.
    const honest = [
      [900, 0],
      [900, 0],
      [900, 0],
      [0, 900],
      [0, 900],
      [0, 900],
    ];
    const distance = ([x, y]: readonly number[]): number => Math.hypot((x as number) - 450, (y as number) - 450);
    const attacked = [...honest, [0, 0], [0, 0]];
    const [alone, mixed] = [await outcome(median(), attacked), await outcome(median(mixing(2)), attacked)];
    assert.deepEqual(alone.moved, [0, 0]);
    assert.ok(distance(mixed.moved) < distance(alone.moved) / 2);
    const lost = await outcome(median(mixing(2)), [...honest, ...new Array<number[]>(7).fill([-9_000, -9_000])]);
    assert.ok(distance(lost.moved) > 1_000);
  });
});

describe("bucketing", () => {
  it("draws its buckets from the round's beacon: the order of five is pinned", () => {
    assert.deepEqual(keyedRandom(fromHex(BEACON, 32), "bucketing").permutation(5), [2, 3, 0, 1, 4]);
  });

  it("by hand: five updates in twos are {2, 3}, {0, 1} and {4} alone, which counts as much as a pair", async () => {
    // Means 35, 15, 90.
    const rows = line(10, 20, 30, 40, 90);
    assert.deepEqual((await outcome(median(bucketing(2)), rows)).moved, [35]);
    const { weights, moved } = await outcome(mean(bucketing(2)), rows);
    assert.deepEqual([...weights], [10_923, 10_923, 10_923, 10_922, 21_845]);
    assert.ok(Math.abs((moved[0] as number) - 140 / 3) <= 190 / 65_536);
  });

  it("one update more or fewer stands in no bucket twice: rows of unlike buckets have equal sums", async () => {
    // Threes of five: {2, 3, 0} and {4, 1}, means 80/3 and 55.
    const { moved } = await outcome(mean(bucketing(3)), line(10, 20, 30, 40, 90));
    assert.ok(Math.abs((moved[0] as number) - (80 / 3 + 55) / 2) <= 190 / 65_536);
  });

  it("a single bucket, if all fit, is the mean, whether full or not", async () => {
    for (const size of [3, 8])
      assert.deepEqual(
        (await outcome({ rule: "trimmed-mean", parameters: { trim: 0 }, before: [bucketing(size)] }, line(1, 2, 6)))
          .moved,
        [3],
      );
  });

  it("keeps a whole bucket or none of it", async () => {
    // Scores 400, 400 and 3 025; the first bucket is {2, 3}.
    const config: AggregationConfig = { rule: "krum", parameters: { byzantine: 0 }, before: [bucketing(2)] };
    assert.deepEqual((await outcome(config, line(10, 20, 30, 40, 90))).keptAt, [2, 3]);
  });

  it("gives a bucket the samples of its parts and their mean reputation, rounded down", async () => {
    const config: AggregationConfig = {
      rule: "byzfed",
      parameters: { filter: "tau", tau: 2, sizeWeighted: true },
      before: [bucketing(2)],
    };
    const samples = [100, 200, 300, 400, 500, 600, 700, 800];
    const reputations = [0, 65_536, 65_535, 10, 20_000, 40_001, 7, 65_536];
    const { weights } = await outcome(config, new Array(8).fill([5]), samples, reputations);
    const order = keyedRandom(fromHex(BEACON, 32), "bucketing").permutation(8);
    const shares = new Array<bigint>(8).fill(0n);
    for (let b = 0; b < 8; b += 2) {
      const [i, k] = order.slice(b, b + 2) as [number, number];
      const mean = Math.floor(((reputations[i] as number) + (reputations[k] as number)) / 2);
      const share = nextReputation(mean, 58_982, true) * ((samples[i] as number) + (samples[k] as number));
      shares[i] = BigInt(share);
      shares[k] = BigInt(share);
    }
    assert.deepEqual(weights, integerWeights(shares, new Array(8).fill(true)));
  });

  it("needs K ≥ s(m − 1) + 1 where the rule needs m, and tolerates what the rule does among ⌈K/s⌉", async () => {
    const bulyan: AggregationConfig = { rule: "bulyan", parameters: { byzantine: 1 }, before: [bucketing(2)] };
    assert.equal(ruleOf(bulyan).minUpdates, 13);
    await assert.rejects(outcome(bulyan, line(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), tooFew(13, 12));
    assert.equal(ruleOf(median(bucketing(3))).minUpdates, 7);
    assert.deepEqual(
      [7, 9, 15, 16].map((updates) => ruleOf(median(bucketing(3))).tolerates(updates)),
      [1, 1, 2, 2],
    );
    assert.equal(ruleOf(median(bucketing(2), mixing(2))).minUpdates, 9);
    assert.equal(ruleOf(median(mixing(2), bucketing(2))).minUpdates, 5);
  });

  it("survives unlike honest updates that Krum alone takes one side of, and not an attacker in half of the buckets", async () => {
    const honest = line(...[0, 0, 0, 0, 0, 0, 0, 0, 100, 100, 100, 100, 100, 100]);
    const krum = { rule: "krum", parameters: { byzantine: 0 } } as const;
    assert.deepEqual((await outcome(krum, honest)).moved, [0]);
    const mixed = (await outcome({ ...krum, before: [bucketing(4)] }, honest)).moved[0] as number;
    assert.ok(mixed > 0 && mixed < 100);
    // Three of six would be a minority the median bears; in pairs they spoil all three buckets.
    const order = keyedRandom(fromHex(BEACON, 32), "bucketing").permutation(6);
    const rows = line(1, 2, 3, 4, 5, 6);
    for (const place of [0, 2]) rows[order[place] as number] = [9_000_000];
    assert.ok(((await outcome(median(), rows)).moved[0] as number) < 10);
    assert.ok(((await outcome(median(bucketing(2)), rows)).moved[0] as number) > 1_000_000);
  });
});

/** The mixed vectors as their definitions read; `rows` are such that nothing needs rounding. */
function formed(step: PreAggregationConfig, rows: readonly number[][]): number[][] {
  const meanOf = (members: readonly number[][]): number[] =>
    (members[0] as number[]).map((_, j) => members.reduce((sum, row) => sum + (row[j] as number), 0) / members.length);
  if (step.step === "bucketing") {
    const shuffled = keyedRandom(fromHex(BEACON, 32), "bucketing").shuffled(rows);
    return Array.from({ length: Math.ceil(rows.length / step.size) }, (_, b) =>
      meanOf(shuffled.slice(b * step.size, (b + 1) * step.size)),
    );
  }
  if (step.step === "without-copies") return [...rows];
  const distance = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, j) => sum + (value - (y[j] as number)) ** 2, 0);
  return rows.map((row) =>
    meanOf([...rows].sort((x, y) => distance(row, x) - distance(row, y)).slice(0, rows.length - step.byzantine)),
  );
}

describe("a rule behind steps is the rule on the vectors they form", () => {
  for (const config of RULES.filter(({ before }) => before !== undefined)) {
    it(nameOf(config), async () => {
      const { before = [], ...plain } = config;
      for (let seed = 0; seed < 3; seed++) {
        const count = ruleOf(config).minUpdates + 1 + seed;
        const rows = cloud(keyedRandom("formed", seed), count, 6, 10, 60).map((row) =>
          Array.from(row, (q) => 55_440 * q),
        );
        const expected = await outcome(
          plain as AggregationConfig,
          before.reduce((vectors, step) => formed(step, vectors), rows),
        );
        const actual = await outcome(config, rows);
        const rounding = rows.reduce((sum, row) => sum + Math.hypot(...row), 0) / 65_536;
        for (const [j, q] of actual.moved.entries())
          assert.ok(
            Math.abs(q - (expected.moved[j] as number)) <= (ruleOf(config).coordinateWise ? 0 : 2 * rounding),
            `${q} is not ${expected.moved[j]}`,
          );
      }
    });
  }
});
