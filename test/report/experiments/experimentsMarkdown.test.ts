// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExperimentReport, GroupReport } from "../../../src/report/experiments/experimentReport.ts";
import { experimentsMarkdown } from "../../../src/report/experiments/experimentsMarkdown.ts";

const group = (choice: string, measures: Readonly<Record<string, number>>): GroupReport => ({
  labels: { method: choice },
  seeds: [1],
  curve: [],
  measures: Object.fromEntries(Object.entries(measures).map(([name, mean]) => [name, { mean, std: 0, n: 1 }])),
  accuracies: [0.5],
  members: [],
  uplinkBytes: 1_000,
  downlinkBytes: 1_000,
  uplinkShare: 0.5,
  failedRounds: 0,
  seconds: 1,
});
const report = (groups: readonly GroupReport[]): ExperimentReport => ({
  name: "made-up",
  title: "Made up",
  question: "Which | why?",
  reading: "",
  axes: ["method"],
  seeds: [1],
  groups,
  claims: [{ claim: "it holds", holds: false, value: null, max: 1 }],
  comparisons: [],
  anovas: [],
});

test("a chapter has a column for what was measured, in its unit, and none for what was not", () => {
  const text = experimentsMarkdown(
    [
      report([
        group("gtg", { accuracy: 0.5, scoreError: 0.04, marginDistance: 3.25 }),
        group("a|b", { accuracy: 0.25 }),
      ]),
    ],
    () => undefined,
  );
  assert.ok(text.includes("| method | accuracy % | margin | score error | uplink | of dense |"), text);
  assert.ok(text.includes("| gtg | 50.0 ± 0.0 | 3.25 ± 0.00 | 0.04 ± 0.00 |"), text);
  assert.match(text, /\| a\\\|b \| 25\.0 ± 0\.0 \| – \| – \|/);
  assert.ok(text.includes("**0 of 1 claims reproduced.**"));
  assert.ok(text.includes("Which \\| why?"));
});
