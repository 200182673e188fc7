// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellResult } from "../../../src/simulation/laboratory/cellResult.ts";
import { parseExperiment } from "../../../src/simulation/laboratory/experimentConfig.ts";
import { reportOf } from "../../../src/simulation/laboratory/reportOf.ts";
import { resultOf } from "./results.ts";

const experiment = parseExperiment(
  { name: "made-up", title: "Made up", seeds: [1, 2], base: {}, axes: { x: { a: {} } } },
  "made-up.yaml",
);

test("choices are compared along the axis that the experiment names, or else along the first", () => {
  const axes = { skew: { weak: {}, strong: {} }, recipe: { fedavg: {}, fedprox: {} } };
  const described = { name: "made-up", title: "Made up", seeds: [1, 2], base: {}, axes };
  const results = ["weak", "strong"].flatMap((skew) =>
    ["fedavg", "fedprox"].flatMap((recipe) =>
      [1, 2].map((seed) => resultOf({ skew, recipe }, seed, { accuracy: 0.5 + 0.1 * seed })),
    ),
  );
  const pairs = (more: { compare?: string }): string[][] =>
    reportOf({
      experiment: parseExperiment({ ...described, ...more }, "made-up.yaml"),
      results,
      missing: 0,
    }).comparisons.map((pair) => [pair.left, pair.right].map((labels) => Object.values(labels).join(" · ")));
  assert.deepEqual(pairs({ compare: "recipe" }), [
    ["weak · fedprox", "weak · fedavg"],
    ["strong · fedprox", "strong · fedavg"],
  ]);
  assert.deepEqual(pairs({}), pairs({ compare: "skew" }));
  assert.deepEqual(pairs({})[0], ["strong · fedavg", "weak · fedavg"]);
  assert.throws(() => pairs({ compare: "rule" }), /names no axis/);
});

const point = (round: number, time: number | null, accuracy: number | null): CellResult["points"][number] => ({
  round,
  time,
  accuracy,
  loss: null,
  clientMean: null,
  clientStd: null,
});
const groupOf = (...runs: readonly CellResult["points"][]) =>
  reportOf({
    experiment,
    results: runs.map((points, i) => resultOf({ x: "a" }, i + 1, {}, { points })),
    missing: 0,
  }).groups[0];

test("over the virtual clock each seed counts with what it had reached, as long as both run", () => {
  const group = groupOf(
    [point(0, 0, 0.1), point(1, 4, 0.5), point(2, 8, 0.7)],
    [point(0, 0, 0.3), point(1, 3, 0.4), point(2, 6, 0.8)],
  );
  assert.deepEqual(
    group?.timeCurve?.map(({ seconds, low, high }) => [seconds, low, high]),
    [
      [0, 0.1, 0.3],
      [3, 0.1, 0.4],
      [4, 0.4, 0.5],
      [6, 0.5, 0.8],
    ],
  );
  assert.ok(group?.timeCurve?.every(({ mean, low, high }) => Math.abs(mean - (low + high) / 2) < 1e-12));
  assert.deepEqual(
    group?.curve.map(({ round }) => round),
    [0, 1, 2],
  );
});

test("without a clock, or where a seed was never evaluated, there is no such curve", () => {
  assert.equal(groupOf([point(0, null, 0.1)], [point(0, null, 0.2)])?.timeCurve, undefined);
  assert.equal(groupOf([point(0, 0, 0.1)], [point(0, 0, null)])?.timeCurve, undefined);
});

/** Accuracies by choice of one axis and by seed, 1 …. */
function reported(accuracies: Readonly<Record<string, readonly (number | null)[]>>, more: Partial<CellResult> = {}) {
  const axes = { x: Object.fromEntries(Object.keys(accuracies).map((choice) => [choice, {}])) };
  const results = Object.entries(accuracies).flatMap(([x, values]) =>
    values.map((accuracy, i) => resultOf({ x }, i + 1, { accuracy }, more)),
  );
  const described = { name: "made-up", title: "Made up", seeds: [1, 2, 3], base: {}, axes };
  return reportOf({ experiment: parseExperiment(described, "made-up.yaml"), results, missing: 0 });
}
const near = (actual: number | undefined, expected: number, within = 1e-6): void =>
  assert.ok(Math.abs((actual as number) - expected) <= within * Math.abs(expected), `${actual} is not ${expected}`);

test("a pair's t, p and effects are those of the specification, with the seeds they are of", () => {
  const { comparisons } = reported({ base: [0.78, 0.79, 0.8], better: [0.82, 0.8, 0.83] });
  assert.equal(comparisons.length, 1);
  const [pair] = comparisons;
  assert.deepEqual([pair?.left, pair?.right], [{ x: "better" }, { x: "base" }]);
  // Differences .04, .01, .03: mean .08/3, variance .0007/3.
  near(pair?.difference, 0.08 / 3);
  near(pair?.t, 3.023716);
  assert.equal(pair?.degreesOfFreedom, 2);
  near(pair?.p, 0.0941784);
  near(pair?.d, 2.065591);
  near(pair?.g, 1.652473);
  near(pair?.dz, 1.745743);
  assert.deepEqual(pair?.seeds, [1, 2, 3]);
});

test("p are corrected by Holm over all pairs of the experiment", () => {
  // Differences and, of two degrees of freedom, p = 1 − |t|/√(t² + 2).
  const differences = { a: [0.04, 0.01, 0.03], b: [0.1, 0.11, 0.12], c: [0.02, -0.01, 0.01] };
  const base = [0.5, 0.6, 0.55];
  const p = Object.values(differences).map(([x = 0, y = 0, z = 0]) => {
    const mean = (x + y + z) / 3;
    const variance = ((x - mean) ** 2 + (y - mean) ** 2 + (z - mean) ** 2) / 2;
    const t = mean / Math.sqrt(variance / 3);
    return 1 - Math.abs(t) / Math.sqrt(t * t + 2);
  }) as [number, number, number];
  assert.ok(p[1] < p[0] && p[0] < p[2]);
  const plus = (by: readonly number[]) => base.map((value, i) => value + (by[i] as number));
  const { a, b, c } = differences;
  const { comparisons } = reported({ base, a: plus(a), b: plus(b), c: plus(c) });
  for (const [i, expected] of [Math.max(3 * p[1], 2 * p[0]), 3 * p[1], Math.max(2 * p[0], p[2])].entries()) {
    near(comparisons[i]?.p, p[i] as number, 1e-9);
    near(comparisons[i]?.adjusted, expected, 1e-9);
  }
});

test("all choices together: one-way is the specification's, two-way takes out the seeds", () => {
  const values = { base: [0.78, 0.79, 0.8], better: [0.82, 0.8, 0.83], worse: [0.75, 0.76, 0.77] };
  const { anovas, comparisons } = reported(values);
  assert.equal(anovas.length, 1);
  const [anova] = anovas;
  assert.deepEqual([anova?.along, anova?.choices, anova?.labels], ["x", ["base", "better", "worse"], {}]);
  assert.deepEqual(anova?.seeds, [1, 2, 3]);
  near(anova?.oneWay.f, 16.692308);
  near(anova?.oneWay.p, 0.00353569);
  assert.deepEqual(anova?.oneWay.degreesOfFreedom, [2, 6]);
  // In hundredths, less 70. Means of methods 9, 35/3, 6 and of seeds 25/3, 25/3, 10, of all 80/9. Between methods 3·Σ = 434/9; in all
  // 768 − 9·(80/9)² = 512/9; seeds 3·Σ = 50/9; error 512/9 − 434/9 − 50/9 = 28/9 on 4. F = (434/18)/(28/36) = 31.
  near(anova?.twoWay.f, 31, 1e-9);
  // Two degrees of freedom above: p = (1 + 2F/d)^(−d/2).
  near(anova?.twoWay.p, (1 + (2 * 31) / 4) ** -2, 1e-9);
  assert.deepEqual(anova?.twoWay.degreesOfFreedom, [2, 4]);
  // Less by the same in every seed: nothing varies.
  const [, pair] = comparisons;
  assert.deepEqual([pair?.t, pair?.p, pair?.dz], [-Infinity, 0, -Infinity]);
  near(pair?.difference, -0.03);
  // Over the deviation of one measurement, which is .01.
  near(pair?.d, -3);
});

test("choices that make no difference differ by nothing, and one that is better by the same everywhere by no chance", () => {
  const row = [0.885, 0.709, 0.784, 0.737, 0.864];
  const same = reported({ base: row, again: row, more: row });
  assert.deepEqual(
    same.anovas.map(({ oneWay, twoWay }) => [oneWay.f, oneWay.p, twoWay.f, twoWay.p]),
    [[0, 1, 0, 1]],
  );
  assert.deepEqual(
    same.comparisons.map(({ difference, t, p, d, dz }) => [difference, t, p, d, dz]),
    [
      [0, 0, 1, 0, NaN],
      [0, 0, 1, 0, NaN],
    ],
  );
  const better = reported({ base: row, better: row.map((value) => value + 0.1) });
  assert.deepEqual(
    better.comparisons.map(({ t, p, dz }) => [t, p, dz]),
    [[Infinity, 0, Infinity]],
  );
  assert.deepEqual([better.anovas[0]?.twoWay.f, better.anovas[0]?.twoWay.p], [Infinity, 0]);
  const constant = reported({ base: [0.1, 0.1, 0.1], better: [0.2, 0.2, 0.2] });
  assert.deepEqual([constant.comparisons[0]?.d, constant.anovas[0]?.oneWay.f], [Infinity, Infinity]);
});

test("tests are of seeds that both have; one seed, or a run without accuracy, makes none", () => {
  const { comparisons, anovas } = reported({ base: [0.7, 0.71, 0.75], few: [0.8, 0.82], failed: [null, null, null] });
  assert.deepEqual(
    comparisons.map(({ left, seeds }) => [left.x, seeds]),
    [["few", [1, 2]]],
  );
  assert.deepEqual(
    anovas.map(({ choices, seeds }) => [choices, seeds]),
    [
      [
        ["base", "few"],
        [1, 2],
      ],
    ],
  );
  const single = reported({ base: [0.7], other: [0.8] });
  assert.deepEqual([single.comparisons, single.anovas], [[], []]);
  const alone = reported({ base: [0.7, 0.8] });
  assert.deepEqual([alone.comparisons, alone.anovas], [[], []]);
});

test("spread over members is each seed's own, then averaged over seeds", () => {
  // 21 members: ⌈.05·21⌉ = 2 at either end.
  const first = [0.1, 0.3, ...Array.from({ length: 17 }, () => 0.5), 0.7, 0.9];
  const second = Array.from({ length: 21 }, () => 0.5);
  const results = [first, second, []].map((clients, i) => resultOf({ x: "a" }, i + 1, {}, { clients }));
  const fairness = reportOf({ experiment, results, missing: 0 }).groups[0]?.fairness;
  // Squares of deviations .16, .04, .04, .16 over 21; half of all on average, and s of (v, 0) is v/√2.
  const std = Math.sqrt(0.4 / 21);
  near(fairness?.std.mean, std / 2, 1e-9);
  near(fairness?.std.std, std / Math.SQRT2, 1e-9);
  near(fairness?.worst5.mean, (0.2 + 0.5) / 2, 1e-9);
  near(fairness?.best5.mean, (0.8 + 0.5) / 2, 1e-9);
  near(fairness?.range.mean, 0.4, 1e-9);
  // Σx = 10.5 and Σx² = .01 + .09 + 17·.25 + .49 + .81 = 5.65.
  near(fairness?.jain.mean, (10.5 ** 2 / (21 * 5.65) + 1) / 2, 1e-9);
  assert.deepEqual([fairness?.members, fairness?.seeds], [{ mean: 21, std: 0, n: 2 }, [1, 2]]);
  assert.equal(reported({ a: [0.5, 0.6] }).groups[0]?.fairness, undefined);
  assert.deepEqual(reported({ a: [0.5, 0.6] }).groups[0]?.seeds, [1, 2]);
});
