// SPDX-License-Identifier: Apache-2.0
import { decimal, plural, UNKNOWN } from "../format.ts";
import { type Html, html } from "../markup.ts";
import type { ComparisonReport, ExperimentReport, FTestReport, Labels, Spread } from "./experimentReport.ts";

/** What a corrected p is held against in the heading. */
const LEVEL = 0.05;

/** How evenly members are served, by combination: for whoever opens it, under the bars that show the same. */
export function fairnessDetails({ groups, axes }: ExperimentReport): Html | undefined {
  const measured = groups.flatMap(({ labels, fairness, measures }) =>
    fairness === undefined ? [] : [{ labels, fairness, mean: measures.clientMean }],
  );
  if (measured.length === 0) return undefined;
  const headings = ["Mean", "Std", "Worst 5%", "Best 5%", "Best − worst", "Jain index", "Members", "n", "Seeds"];
  return html`<details><summary>How evenly members are served: spread of their accuracies</summary>
<div class="wide"><table><caption>Per cent: spread over each seed’s members, then mean ± standard deviation over n seeds; worst and best 5%: the mean of the ⌈0.05·K⌉ members at that end. Jain’s index barely moves while the mean is high: read it beside the standard deviation</caption>
<thead><tr>${axes.map((axis) => html`<th scope="col">${axis}</th>`)}${headings.map(numeric)}</tr></thead>
<tbody>${measured.map(({ labels, fairness, mean }) => {
    const { std, worst5, best5, range, jain, members, seeds } = fairness;
    const cells = [mean, std, worst5, best5, range].map((value) => share(value));
    return html`<tr>${axes.map((axis) => html`<th scope="row">${labels[axis] ?? ""}</th>`)}${[...cells, around(jain, 1, 4), decimal(members.mean, members.std === 0 ? 0 : 1), String(seeds.length), seedsText(seeds)].map(cell)}</tr>`;
  })}</tbody></table></div></details>`;
}

/** Whether differences are more than chance: paired tests with effect sizes, then all choices together. The heading says how many stand. */
export function testDetails(report: ExperimentReport): Html | undefined {
  const { comparisons } = report;
  const variance = anovaTable(report);
  if (comparisons.length === 0 && variance === undefined) return undefined;
  const stand = comparisons.filter(({ adjusted }) => adjusted < LEVEL).length;
  const verdict =
    comparisons.length === 0
      ? ""
      : `: ${stand} of ${plural(comparisons.length, "difference")} below p = ${LEVEL} after Holm’s correction`;
  return html`<details><summary>Tests over seeds and effect sizes${verdict}</summary>
${comparisons.length > 0 && comparisonTable(report)}${variance}</details>`;
}

function comparisonTable({ comparisons, axes }: ExperimentReport): Html {
  const headings = ["Left − right, points", "t", "df", "p", "p, Holm", "Cohen’s d", "d_z", "Hedges’ g", "n", "Seeds"];
  const row = ({ left, right, seeds, ...test }: ComparisonReport): Html => {
    const { difference, t, degreesOfFreedom, p, adjusted, d, dz, g } = test;
    const cells = [
      ...[decimal(100 * difference, 2), statistic(t), decimal(degreesOfFreedom, 0), chance(p), chance(adjusted)],
      ...[statistic(d), statistic(dz), statistic(g), decimal(seeds.length, 0), seedsText(seeds)],
    ];
    return html`<tr><td>${nameOf(left, axes)}</td><td>${nameOf(right, axes)}</td>${cells.map(cell)}</tr>`;
  };
  return html`<div class="wide"><table><caption>Accuracy compared over the same seeds: paired t-test, two-sided; Holm’s correction over this table. d and g in standard deviations of one measurement, d_z of the difference</caption>
<thead><tr><th scope="col">left</th><th scope="col">right</th>${headings.map(numeric)}</tr></thead>
<tbody>${comparisons.map(row)}</tbody></table></div>`;
}

function anovaTable({ anovas, axes }: ExperimentReport): Html | undefined {
  const [first] = anovas;
  if (first === undefined) return undefined;
  const others = axes.filter((axis) => axis !== first.along);
  const test = ({ f, degreesOfFreedom, p }: FTestReport): string[] => [
    statistic(f),
    degreesOfFreedom.join(", "),
    chance(p),
  ];
  return html`<div class="wide"><table><caption>Do the choices of ${first.along} differ in accuracy at all? Analysis of variance: one-way takes runs as independent, two-way takes out what seeds differ in (method and block). p are not corrected for the number of rows</caption>
<thead><tr>${others.map((axis) => html`<th scope="col">${axis}</th>`)}<th scope="col">${first.along}</th>${["One-way F", "df", "p", "Two-way F", "df", "p", "n", "Seeds"].map(numeric)}</tr></thead>
<tbody>${anovas.map(({ labels, choices, oneWay, twoWay, seeds }) => {
    const cells = [...test(oneWay), ...test(twoWay), String(choices.length * seeds.length), seedsText(seeds)];
    return html`<tr>${others.map((axis) => html`<th scope="row">${labels[axis] ?? ""}</th>`)}<td class="list">${choices.join(", ")}</td>${cells.map(cell)}</tr>`;
  })}</tbody></table></div>`;
}

const numeric = (heading: string): Html => html`<th scope="col" class="n">${heading}</th>`;
const cell = (text: string): Html => html`<td class="n">${text}</td>`;

function nameOf(labels: Labels, axes: readonly string[]): string {
  return axes.map((axis) => labels[axis] ?? "").join(" · ");
}

function share(value: Spread | undefined): string {
  return value === undefined ? UNKNOWN : around(value, 100, 1);
}

function around({ mean, std }: Spread, scale: number, digits: number): string {
  return `${decimal(mean * scale, digits)} ± ${decimal(std * scale, digits)}`;
}

/** A test's statistic or an effect; infinite where nothing varies. */
function statistic(value: number): string {
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value > 0 ? "∞" : "−∞";
  return decimal(value, 2);
}

/** A p-value. */
function chance(p: number): string {
  return p < 0.0001 ? "<0.0001" : decimal(p, 4);
}

/** `1–5`, or `1, 3, 7`. */
function seedsText(seeds: readonly number[]): string {
  const [first, last] = [seeds[0] as number, seeds.at(-1) as number];
  const inRow = seeds.length > 2 && seeds.every((seed, i) => seed === first + i);
  return inRow ? `${first}–${last}` : seeds.join(", ");
}
