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
    seeds: [1, 2, 3],
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
  comparisons: [
    {
      left: { rule: "krum", attack: "none" },
      right: { rule: "mean", attack: "none" },
      ...{
        difference: -0.5,
        t: -31.62,
        degreesOfFreedom: 2,
        p: 0.00099,
        adjusted: 0.00198,
        d: -7.25,
        g: -5.8,
        dz: -18.26,
      },
      seeds: [1, 2, 3],
    },
    {
      left: { rule: "median", attack: "none" },
      right: { rule: "mean", attack: "none" },
      ...{ difference: 0.01, t: Number.POSITIVE_INFINITY, degreesOfFreedom: 2, p: 0.25, adjusted: 0.25 },
      ...{ d: Number.NaN, g: Number.NaN, dz: Number.POSITIVE_INFINITY },
      seeds: [1, 2, 4],
    },
  ],
  anovas: [
    {
      along: "rule",
      choices: ["mean", "krum", "median"],
      labels: { attack: "none" },
      oneWay: { f: 16.692, degreesOfFreedom: [2, 6], p: 0.00354 },
      twoWay: { f: 99.5, degreesOfFreedom: [2, 4], p: 0.00001 },
      seeds: [1, 2, 3],
    },
  ],
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
  assert.equal(heading, "experiment,combination,measure,mean,std,n,against,seeds");
  assert.ok(lines.includes("made-up,rule=mean;attack=none,accuracy,0.8,0.01,3,,1 2 3"));
  assert.ok(lines.some((line) => line.startsWith('made-up,"rule=krum;attack==cmd|"" /C"""')));
});

test("spread and tests wait in details behind a heading that says what they found, with n and seeds in every row", () => {
  const [first, second] = report.groups as [GroupReport, GroupReport];
  const over = (mean: number, std: number) => ({ mean, std, n: 2 });
  const fairness = {
    ...{ std: over(0.123, 0.011), worst5: over(0.456, 0.02), best5: over(0.912, 0.03), range: over(0.456, 0.04) },
    ...{ jain: over(0.98765, 0.00123), members: over(20, 0), seeds: [1, 3] },
  };
  const served: ExperimentReport = { ...report, groups: [{ ...first, fairness }, second] };
  const page = renderExperiments([served]);
  const details = page.split("<details>").slice(1);
  assert.equal(details.length, 2);
  const [spread = "", tests = ""] = details;
  const rows = (part: string): string[] =>
    [...part.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row = ""]) =>
      row.replaceAll(/<\/t[dh]>/g, "|").replaceAll(/<[^>]*>/g, ""),
    );
  assert.deepEqual(rows(spread), [
    "rule|attack|Mean|Std|Worst 5%|Best 5%|Best − worst|Jain index|Members|n|Seeds|",
    "mean|none|70.0 ± 2.0|12.3 ± 1.1|45.6 ± 2.0|91.2 ± 3.0|45.6 ± 4.0|0.9877 ± 0.0012|20|2|1, 3|",
  ]);
  assert.match(tests, /<summary>[^<]*: 1 of 2 differences below p = 0\.05 after Holm’s correction<\/summary>/);
  assert.deepEqual(rows(tests), [
    "left|right|Left − right, points|t|df|p|p, Holm|Cohen’s d|d_z|Hedges’ g|n|Seeds|",
    "krum · none|mean · none|−50.00|−31.62|2|0.0010|0.0020|−7.25|−18.26|−5.80|3|1–3|",
    "median · none|mean · none|1.00|∞|2|0.2500|0.2500|–|∞|–|3|1, 2, 4|",
    "attack|rule|One-way F|df|p|Two-way F|df|p|n|Seeds|",
    "none|mean, krum, median|16.69|2, 6|0.0035|99.50|2, 4|&lt;0.0001|9|1–3|",
  ]);
  assert.ok(page.indexOf("Members’ accuracies") < page.indexOf("<details>"), "pictures first");
  const table = experimentsCsv([served]).split("\r\n");
  for (const line of [
    "made-up,rule=mean;attack=none,fairness.std,0.123,0.011,2,,1 3",
    "made-up,rule=mean;attack=none,fairness.worst5,0.456,0.02,2,,1 3",
    "made-up,rule=mean;attack=none,fairness.best5,0.912,0.03,2,,1 3",
    "made-up,rule=mean;attack=none,fairness.range,0.456,0.04,2,,1 3",
    "made-up,rule=mean;attack=none,fairness.jain,0.98765,0.00123,2,,1 3",
    "made-up,rule=krum;attack=none,accuracy.t,-31.62,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=krum;attack=none,accuracy.p,0.00099,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=krum;attack=none,accuracy.pHolm,0.00198,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=krum;attack=none,accuracy.d,-7.25,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=krum;attack=none,accuracy.dz,-18.26,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=krum;attack=none,accuracy.g,-5.8,,3,rule=mean;attack=none,1 2 3",
    "made-up,rule=median;attack=none,accuracy.dz,,,3,rule=mean;attack=none,1 2 4",
    "made-up,rule=*;attack=none,accuracy.anovaOneWay.f,16.692,,9,,1 2 3",
    "made-up,rule=*;attack=none,accuracy.anovaOneWay.df2,6,,9,,1 2 3",
    "made-up,rule=*;attack=none,accuracy.anovaTwoWay.p,0.00001,,9,,1 2 3",
  ])
    assert.ok(table.includes(line), line);
});

test("without tests or measured members there is nothing to open", () => {
  assert.ok(!renderExperiments([{ ...report, comparisons: [], anovas: [] }]).includes("<details>"));
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
