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
    }).comparisons.map(({ left, right }) => [left, right]);
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
