// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExperimentReport, GroupReport } from "../../../src/report/experiments/experimentReport.ts";
import { experimentsCsv } from "../../../src/report/experiments/experimentsCsv.ts";
import { figureOf } from "../../../src/report/experiments/figure.ts";
import { renderExperiments } from "../../../src/report/experiments/renderExperiments.ts";

function group(labels: Readonly<Record<string, string>>, accuracy: number): GroupReport {
  return {
    labels,
    curve: [
      { round: 0, mean: 0.1, low: 0.08, high: 0.12 },
      { round: 10, mean: accuracy, low: accuracy - 0.02, high: accuracy + 0.02 },
    ],
    measures: {
      accuracy: { mean: accuracy, std: 0.01, n: 3 },
      clientMean: { mean: 0.7, std: 0.02, n: 3 },
      clientStd: { mean: 0.1, std: 0.01, n: 3 },
    },
    accuracies: [accuracy, accuracy, accuracy],
    members: [0.5, 0.7, 0.9],
    uplinkBytes: 12_345,
    downlinkBytes: 99,
    uplinkShare: 0.05,
    failedRounds: 0,
    seconds: 1,
  };
}

const report: ExperimentReport = {
  name: "made-up",
  title: "Rules <script>alert(1)</script>",
  question: "Which & why?",
  reading: "",
  axes: ["rule", "attack"],
  seeds: [1, 2, 3],
  groups: [group({ rule: "mean", attack: "none" }, 0.8), group({ rule: "krum", attack: '=cmd|" /C"' }, 0.3)],
  claims: [
    { claim: "the mean is good", holds: true, value: 0.8, min: 0.7 },
    { claim: "Krum is good", holds: false, value: null, min: 0.7 },
  ],
  comparisons: [{ left: "krum", right: "mean", difference: -0.5, p: 0.001, adjusted: 0.001, effect: -3, n: 3 }],
};

test("the page escapes what it shows, runs nothing and loads nothing", () => {
  const page = renderExperiments([report]);
  assert.ok(page.includes("Rules &lt;script&gt;alert(1)&lt;/script&gt;"));
  assert.ok(!page.includes("<script"));
  assert.match(page, /default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'/);
  assert.equal(/(?:src|href)="https?:/.test(page), false);
});

test("the page shows claims, curves, bars, the table of two axes and the tests", () => {
  const page = renderExperiments([report]);
  for (const part of [
    "the mean is good",
    "does not hold",
    "80.0%",
    "± 1.0",
    "Accuracy by rule and attack",
    "Members’ accuracies",
    "paired t-test",
    "−50.00",
  ])
    assert.ok(page.includes(part), part);
});

test("the same reports give the same bytes", () => {
  assert.equal(renderExperiments([report]), renderExperiments([report]));
});

test("the table quotes, and no cell is a formula", () => {
  const table = experimentsCsv([report]);
  const [heading, ...lines] = table.trimEnd().split("\r\n");
  assert.equal(heading, "experiment,combination,measure,mean,std,n");
  assert.ok(lines.includes("made-up,rule=mean;attack=none,accuracy,0.8,0.01,3"));
  assert.ok(lines.some((line) => line.startsWith('made-up,"rule=krum;attack==cmd|"" /C"""')));
});

test("figures that no column is for have a table of their own", () => {
  const [first, second] = report.groups as [GroupReport, GroupReport];
  const measured = { ...first, measures: { ...first.measures, certifiedAt1: { mean: 0.625, std: 0.01, n: 3 } } };
  const page = renderExperiments([{ ...report, groups: [measured, second] }]);
  assert.match(page, /<caption>Figures<\/caption>/);
  assert.match(page, /<th scope="row">certifiedAt1<\/th><td class="n">0\.625 ± 0\.010<\/td><td class="n">–<\/td>/);
  assert.ok(!renderExperiments([report]).includes("<caption>Figures</caption>"));
});

test("what runs on a virtual clock is drawn over its seconds as well as over rounds; other experiments are not", () => {
  const timed = (labels: Readonly<Record<string, string>>, end: number): GroupReport => ({
    ...group(labels, 0.8),
    timeCurve: [
      { seconds: 0, mean: 0.1, low: 0.08, high: 0.12 },
      { seconds: end, mean: 0.8, low: 0.78, high: 0.82 },
    ],
  });
  const clocked = {
    ...report,
    axes: ["schedule"],
    groups: [timed({ schedule: "sync" }, 80.5), timed({ schedule: "fedqs" }, 20)],
  };
  const page = renderExperiments([clocked]);
  for (const part of ["Accuracy by round", "Accuracy over virtual time", "second 80.5", "fedqs: 80.0% at second 20"])
    assert.ok(page.includes(part), part);
  const figure = figureOf(clocked) ?? "";
  assert.match(figure, /accuracy by round; accuracy over virtual time, mean and range/);
  assert.equal(figure.match(/class="title"/g)?.length, 2);
  assert.ok(!renderExperiments([report]).includes("virtual time"));
  assert.ok(!(figureOf(report) ?? "").includes("virtual time"));
});

test("of three axes the two with most choices meet, in a table for each choice of the third, shaded alike", () => {
  const rules = ["mean", "krum", "median"];
  const attacks = ["none", "lie", "fang"];
  const groups = ["plain", "damped"].flatMap((client, c) =>
    rules.flatMap((rule, r) =>
      attacks.map((attack, a) => group({ client, rule, attack }, 0.9 - 0.2 * c - 0.05 * r - 0.01 * a)),
    ),
  );
  const page = renderExperiments([{ ...report, axes: ["client", "rule", "attack"], groups }]);
  const tables = page.split('<table class="heat">').slice(1);
  assert.deepEqual(
    tables.map((table) => /<caption>(.*?);/.exec(table)?.[1]),
    ["Accuracy by rule and attack, client plain", "Accuracy by rule and attack, client damped"],
  );
  for (const [c, table] of tables.entries()) {
    const body = table.slice(0, table.indexOf("</table>"));
    const found = [...body.matchAll(/<td class="n h(\d)">([\d.]+)%/g)].map(([, shade, share]) => [shade, share]);
    assert.equal(found.length, 9);
    assert.deepEqual(found[0], c === 0 ? ["0", "90.0"] : ["2", "70.0"], "shaded by the best of both tables");
  }
});
