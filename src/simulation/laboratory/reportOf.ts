// SPDX-License-Identifier: Apache-2.0
import { cohenDz } from "../../numerics/statistics/effectSize.ts";
import { holm } from "../../numerics/statistics/holm.ts";
import { pairedT } from "../../numerics/statistics/pairedT.ts";
import type { ComparisonReport, ExperimentReport, GroupReport } from "../../report/experiments/experimentReport.ts";
import { judgeClaims } from "./claims.ts";
import type { FinishedExperiment } from "./experimentFolder.ts";
import { type Group, groupsOf, type Measure, spreadOf } from "./summary.ts";

const MEASURES: readonly Measure[] = [
  "accuracy",
  "loss",
  "clientMean",
  "clientStd",
  "clientWorst",
  "jain",
  "detectionRecall",
  "detectionFalsePositives",
  "jacobian",
  "epsilon",
];

/** What a page shows of an experiment. Claims are judged only when every cell has a result. */
export function reportOf({ experiment, results, missing }: FinishedExperiment): ExperimentReport {
  const groups = groupsOf(results);
  return {
    name: experiment.name,
    title: missing === 0 ? experiment.title : `${experiment.title} (${missing} cells are still missing)`,
    question: experiment.question,
    reading: experiment.reading,
    axes: Object.keys(experiment.axes),
    seeds: experiment.seeds,
    groups: groups.map(groupReport),
    claims: missing === 0 ? judgeClaims(experiment.claims, results) : [],
    comparisons: compare(groups, experiment.compare),
  };
}

function groupReport(group: Group): GroupReport {
  const { results } = group;
  const average = (of: (result: Group["results"][number]) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return {
    labels: group.labels,
    curve: curveOf(group),
    ...timeCurveOf(group),
    measures: Object.fromEntries([
      ...MEASURES.map((measure) => [measure, group.spread(measure)] as const),
      ...figuresOf(results),
    ]),
    accuracies: results.map(({ final }) => final.accuracy ?? Number.NaN),
    members: results.flatMap(({ clients }) => clients).sort((a, b) => a - b),
    uplinkBytes: average(({ traffic }) => traffic.uplinkBytes),
    downlinkBytes: average(({ traffic }) => traffic.downlinkBytes),
    uplinkShare: average(({ traffic }) => traffic.uplinkBytes / traffic.denseUplinkBytes),
    failedRounds: average(({ rounds }) => rounds.failed),
    seconds: average(({ seconds }) => seconds.total),
  };
}

function figuresOf(results: Group["results"]): readonly (readonly [string, ReturnType<typeof spreadOf>])[] {
  const names = [...new Set(results.flatMap(({ figures }) => Object.keys(figures)))];
  return names.map((name) => [name, spreadOf(results.map(({ figures }) => figures[name] ?? null))] as const);
}

function curveOf({ results }: Group): GroupReport["curve"] {
  const byRound = new Map<number, number[]>();
  for (const { points } of results)
    for (const { round, accuracy } of points)
      if (accuracy !== null) byRound.set(round, [...(byRound.get(round) ?? []), accuracy]);
  return [...byRound]
    .sort(([a], [b]) => a - b)
    .map(([round, values]) => ({
      round,
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: values.reduce((least, value) => Math.min(least, value)),
      high: values.reduce((most, value) => Math.max(most, value)),
    }));
}

/** What every seed had reached by each time at which one was evaluated, as long as all of them ran; nothing without a virtual clock. */
function timeCurveOf({ results }: Group): Pick<GroupReport, "timeCurve"> {
  const seeds = results.map(({ points }) =>
    points.flatMap(({ time, accuracy }) => (time === null || accuracy === null ? [] : [{ time, accuracy }])),
  );
  if (seeds.some((points) => points.length === 0)) return {};
  const end = seeds.reduce((least, points) => Math.min(least, points.at(-1)?.time ?? 0), Infinity);
  const start = seeds.reduce((most, points) => Math.max(most, points[0]?.time ?? 0), 0);
  const times = [...new Set(seeds.flatMap((points) => points.map(({ time }) => time)))]
    .filter((time) => time >= start && time <= end)
    .sort((a, b) => a - b);
  const timeCurve = times.map((seconds) => {
    const values = seeds.map((points) => points.findLast(({ time }) => time <= seconds)?.accuracy as number);
    return {
      seconds,
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: values.reduce((least, value) => Math.min(least, value)),
      high: values.reduce((most, value) => Math.max(most, value)),
    };
  });
  return { timeCurve };
}

/** Every combination against the first along one axis (left out: the axis that comes first), over the same seeds, the others' choices being equal. */
function compare(groups: readonly Group[], along: string | undefined): ComparisonReport[] {
  const axes = Object.keys(groups[0]?.labels ?? {});
  const axis = along ?? axes[0];
  if (axis === undefined) return [];
  const first = groups[0]?.labels[axis];
  const pairs = groups.flatMap((group) => {
    if (group.labels[axis] === first) return [];
    const base = groups.find(({ labels }) =>
      axes.every((other) => labels[other] === (other === axis ? first : group.labels[other])),
    );
    return base === undefined ? [] : [{ group, base }];
  });
  const tests = pairs.flatMap(({ group, base }) => {
    const seeds = group.results.filter(({ seed }) => base.results.some((other) => other.seed === seed));
    const left = seeds.map(({ final }) => final.accuracy);
    const right = seeds.map(({ seed }) => base.results.find((other) => other.seed === seed)?.final.accuracy ?? null);
    if (seeds.length < 2 || [...left, ...right].includes(null)) return [];
    const [x, y] = [left as number[], right as number[]];
    const { p } = pairedT(x, y);
    return [
      {
        left: nameOf(group),
        right: nameOf(base),
        difference: x.reduce((sum, value, i) => sum + value - (y[i] as number), 0) / x.length,
        p,
        effect: cohenDz(x, y),
        n: x.length,
      },
    ];
  });
  const adjusted = holm(tests.map(({ p }) => p));
  return tests.map((test, i) => ({ ...test, adjusted: adjusted[i] as number }));
}

function nameOf({ labels }: Group): string {
  return Object.values(labels).join(" · ");
}
