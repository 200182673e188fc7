// SPDX-License-Identifier: Apache-2.0
import { fairnessSpread } from "../../numerics/metrics/fairness.ts";
import type { ExperimentReport, FairnessReport, GroupReport } from "../../report/experiments/experimentReport.ts";
import { judgeClaims } from "./claims.ts";
import { anovasOf, comparisonsOf } from "./comparisons.ts";
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
    comparisons: comparisonsOf(groups, experiment.compare),
    anovas: anovasOf(groups, experiment.compare),
  };
}

function groupReport(group: Group): GroupReport {
  const { results } = group;
  const average = (of: (result: Group["results"][number]) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return {
    labels: group.labels,
    seeds: results.map(({ seed }) => seed),
    curve: curveOf(group),
    ...timeCurveOf(group),
    measures: Object.fromEntries([
      ...MEASURES.map((measure) => [measure, group.spread(measure)] as const),
      ...figuresOf(results),
    ]),
    accuracies: results.map(({ final }) => final.accuracy ?? Number.NaN),
    members: results.flatMap(({ clients }) => clients).sort((a, b) => a - b),
    ...fairnessOf(results),
    uplinkBytes: average(({ traffic }) => traffic.uplinkBytes),
    downlinkBytes: average(({ traffic }) => traffic.downlinkBytes),
    uplinkShare: average(({ traffic }) => traffic.uplinkBytes / traffic.denseUplinkBytes),
    failedRounds: average(({ rounds }) => rounds.failed),
    seconds: average(({ seconds }) => seconds.total),
  };
}

/** Each seed's spread over its members, then mean and standard deviation of those over seeds: members of different seeds are not one population. */
function fairnessOf(results: Group["results"]): Pick<GroupReport, "fairness"> {
  const measured = results.filter(({ clients }) => clients.length > 0);
  if (measured.length === 0) return {};
  const spreads = measured.map(({ clients }) => fairnessSpread(clients));
  const over = (of: (spread: (typeof spreads)[number]) => number): FairnessReport["std"] =>
    spreadOf(spreads.map(of)) as FairnessReport["std"];
  return {
    fairness: {
      std: over(({ standardDeviation }) => standardDeviation),
      worst5: over(({ worst }) => worst),
      best5: over(({ best }) => best),
      range: over(({ range }) => range),
      jain: over(({ jain }) => jain),
      members: spreadOf(measured.map(({ clients }) => clients.length)) as FairnessReport["std"],
      seeds: measured.map(({ seed }) => seed),
    },
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
