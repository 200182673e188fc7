// SPDX-License-Identifier: Apache-2.0
import { type FTest, oneWayAnova, twoWayAnova } from "../../numerics/statistics/anova.ts";
import { cohenD, cohenDz, hedgesG } from "../../numerics/statistics/effectSize.ts";
import { holm } from "../../numerics/statistics/holm.ts";
import { pairedT } from "../../numerics/statistics/pairedT.ts";
import type { AnovaReport, ComparisonReport, FTestReport } from "../../report/experiments/experimentReport.ts";
import type { Group } from "./summary.ts";

/** Pairs, or blocks, below which nothing can be said of chance. */
const LEAST_SEEDS = 2;

/** Every combination against the first along one axis (left out: the axis that comes first), over the same seeds, the others' choices being equal. */
export function comparisonsOf(groups: readonly Group[], along: string | undefined): ComparisonReport[] {
  const axis = along ?? firstAxis(groups);
  if (axis === undefined) return [];
  const first = groups[0]?.labels[axis] as string;
  const tests = groups.flatMap((group) => {
    if (group.labels[axis] === first) return [];
    const base = groups.find(({ labels }) => sameBut(axis, labels, group.labels) && labels[axis] === first);
    if (base === undefined) return [];
    const seeds = sharedSeeds([group, base]);
    const [x, y] = accuraciesAt([group, base], seeds) as [(number | null)[], (number | null)[]];
    return seeds.length >= LEAST_SEEDS && areKnown(x) && areKnown(y)
      ? [{ left: group.labels, right: base.labels, ...testOf(x, y), seeds }]
      : [];
  });
  const adjusted = holm(tests.map(({ p }) => p));
  return tests.map((test, i) => ({ ...test, adjusted: adjusted[i] as number }));
}

/** All choices along that axis together, for every combination of the others' choices; choices that have no accuracy, or too few seeds, are left out. */
export function anovasOf(groups: readonly Group[], along: string | undefined): AnovaReport[] {
  const axis = along ?? firstAxis(groups);
  if (axis === undefined) return [];
  return slicesOf(groups, axis).flatMap((slice) => {
    const methods = slice.filter((group) => knownSeeds(group).length >= LEAST_SEEDS);
    const seeds = sharedSeeds(methods).filter((seed) => methods.every((group) => knownSeeds(group).includes(seed)));
    if (methods.length < 2 || seeds.length < LEAST_SEEDS) return [];
    const values = accuraciesAt(methods, seeds) as number[][];
    const { [axis]: _, ...labels } = (methods[0] as Group).labels;
    const choices = methods.map((group) => group.labels[axis] as string);
    return [
      { along: axis, choices, labels, seeds, oneWay: fTest(oneWayAnova(values)), twoWay: fTest(twoWayAnova(values)) },
    ];
  });
}

function testOf(
  x: readonly number[],
  y: readonly number[],
): Omit<ComparisonReport, "left" | "right" | "adjusted" | "seeds"> {
  const { difference, t, degreesOfFreedom, p } = pairedT(x, y);
  return { difference, t, degreesOfFreedom, p, d: cohenD(x, y), g: hedgesG(x, y), dz: cohenDz(x, y) };
}

function fTest({ f, degreesOfFreedom, p }: FTest): FTestReport {
  return { f, degreesOfFreedom, p };
}

function slicesOf(groups: readonly Group[], axis: string): readonly Group[][] {
  const slices: Group[][] = [];
  for (const group of groups) {
    const slice = slices.find(([first]) => sameBut(axis, (first as Group).labels, group.labels));
    if (slice === undefined) slices.push([group]);
    else slice.push(group);
  }
  return slices;
}

function firstAxis(groups: readonly Group[]): string | undefined {
  return Object.keys(groups[0]?.labels ?? {})[0];
}

function sameBut(axis: string, a: Group["labels"], b: Group["labels"]): boolean {
  return Object.keys(a).every((other) => other === axis || a[other] === b[other]);
}

/** Seeds of the first that all the others have too, in its order. */
function sharedSeeds([first, ...others]: readonly Group[]): number[] {
  const seeds = first?.results.map(({ seed }) => seed) ?? [];
  return seeds.filter((seed) => others.every(({ results }) => results.some((other) => other.seed === seed)));
}

function knownSeeds({ results }: Group): number[] {
  return results.filter(({ final }) => final.accuracy !== null).map(({ seed }) => seed);
}

function accuraciesAt(groups: readonly Group[], seeds: readonly number[]): (number | null)[][] {
  return groups.map(({ results }) =>
    seeds.map((wanted) => results.find(({ seed }) => seed === wanted)?.final.accuracy ?? null),
  );
}

function areKnown(values: readonly (number | null)[]): values is readonly number[] {
  return !values.includes(null);
}
