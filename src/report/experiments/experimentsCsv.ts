// SPDX-License-Identifier: Apache-2.0
import type { ExperimentReport, FairnessReport, FTestReport, Labels, Spread } from "./experimentReport.ts";

const HEADINGS = ["experiment", "combination", "measure", "mean", "std", "n", "against", "seeds"];

/** Names of the fairness spreads among the measures. */
const FAIRNESS: readonly (readonly [measure: string, key: Exclude<keyof FairnessReport, "seeds">])[] = [
  ["fairness.std", "std"],
  ["fairness.worst5", "worst5"],
  ["fairness.best5", "best5"],
  ["fairness.range", "range"],
  ["fairness.jain", "jain"],
  ["fairness.members", "members"],
];

/** A cell's text before the experiment's name is put before it. */
interface Line {
  readonly combination: string;
  readonly measure: string;
  /** The mean over seeds, or a test's number. */
  readonly value: number;
  readonly std?: number;
  readonly n: number;
  readonly against?: string;
  readonly seeds: readonly number[];
}

/**
 * All combinations of all experiments as RFC 4180 lines: one row per experiment, combination and measure. Tests are rows too: of a pair, `against` names the
 * combination that is subtracted; of an analysis of variance the axis whose choices are compared reads `axis=*`. A number that is not finite is an empty cell.
 */
export function experimentsCsv(reports: readonly ExperimentReport[]): string {
  const lines = reports.flatMap((report) =>
    [...groupLines(report), ...comparisonLines(report), ...anovaLines(report)].map((line) =>
      cellsOf(report.name, line),
    ),
  );
  return [HEADINGS, ...lines].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

function groupLines({ axes, groups }: ExperimentReport): Line[] {
  return groups.flatMap((group) => {
    const combination = combinationOf(group.labels, axes);
    const { seeds, fairness } = group;
    const spread = (measure: string, { mean, std, n }: Spread, of = seeds): Line => ({
      ...{ combination, measure, value: mean, std, n },
      seeds: of,
    });
    const plain = (measure: string, value: number): Line => ({ combination, measure, value, n: seeds.length, seeds });
    return [
      ...Object.entries(group.measures).flatMap(([measure, value]) =>
        value === undefined ? [] : [spread(measure, value)],
      ),
      ...(fairness === undefined ? [] : FAIRNESS.map(([name, key]) => spread(name, fairness[key], fairness.seeds))),
      plain("uplinkBytes", group.uplinkBytes),
      plain("downlinkBytes", group.downlinkBytes),
      plain("failedRounds", group.failedRounds),
    ];
  });
}

function comparisonLines({ axes, comparisons }: ExperimentReport): Line[] {
  return comparisons.flatMap(({ left, right, seeds, ...test }) => {
    const { difference, t, degreesOfFreedom, p, adjusted, d, dz, g } = test;
    const values = { difference, t, df: degreesOfFreedom, p, pHolm: adjusted, d, dz, g };
    const pair = {
      combination: combinationOf(left, axes),
      against: combinationOf(right, axes),
      n: seeds.length,
      seeds,
    };
    return Object.entries(values).map(([name, value]) => ({ ...pair, measure: `accuracy.${name}`, value }));
  });
}

function anovaLines({ axes, anovas }: ExperimentReport): Line[] {
  return anovas.flatMap(({ along, labels, choices, seeds, oneWay, twoWay }) => {
    const slice = {
      combination: combinationOf({ ...labels, [along]: "*" }, axes),
      n: choices.length * seeds.length,
      seeds,
    };
    const lines = (name: string, { f, degreesOfFreedom: [df1, df2], p }: FTestReport): Line[] =>
      Object.entries({ f, df1, df2, p }).map(([key, value]) => ({
        ...slice,
        measure: `accuracy.${name}.${key}`,
        value,
      }));
    return [...lines("anovaOneWay", oneWay), ...lines("anovaTwoWay", twoWay)];
  });
}

function combinationOf(labels: Labels, axes: readonly string[]): string {
  return axes.map((axis) => `${axis}=${labels[axis] ?? ""}`).join(";");
}

function cellsOf(experiment: string, { combination, measure, value, std, n, against = "", seeds }: Line): string[] {
  return [experiment, combination, measure, number(value), number(std), String(n), against, seeds.join(" ")];
}

function number(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "" : String(value);
}

/** Quoted where needed; what a spreadsheet would take for a formula gets an apostrophe before it. */
function quoted(cell: string): string {
  const safe = /^[=+@\t\r]|^-(?![0-9.])/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
