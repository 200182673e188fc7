// SPDX-License-Identifier: Apache-2.0
import type { CellResult } from "./cellResult.ts";

export type Measure = keyof CellResult["final"];

/** Mean and sample standard deviation over seeds; null where no seed has a value. */
export interface Spread {
  readonly mean: number;
  /** With n − 1; 0 for one seed. */
  readonly std: number;
  readonly n: number;
}

/** All seeds of one combination of choices. */
export interface Group {
  readonly labels: Readonly<Record<string, string>>;
  readonly results: readonly CellResult[];
  spread(measure: Measure): Spread | undefined;
}

/** Results by what was chosen along the axes, in the order in which the choices come first. */
export function groupsOf(results: readonly CellResult[]): Group[] {
  const byLabels = new Map<string, CellResult[]>();
  for (const result of results) {
    const key = JSON.stringify(result.labels);
    const group = byLabels.get(key);
    if (group === undefined) byLabels.set(key, [result]);
    else group.push(result);
  }
  return [...byLabels.values()].map((group) => ({
    labels: (group[0] as CellResult).labels,
    results: group,
    spread: (measure) => spreadOf(group.map(({ final }) => final[measure])),
  }));
}

export function spreadOf(values: readonly (number | null)[]): Spread | undefined {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return undefined;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return { mean, std: known.length > 1 ? Math.sqrt(squares / (known.length - 1)) : 0, n: known.length };
}
