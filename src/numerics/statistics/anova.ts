// SPDX-License-Identifier: Apache-2.0
import { betaRegularised } from "../incompleteBeta.ts";
import { mean, sumOfSquaredDeviations } from "./moments.ts";
import { largestOf, roundingOf, squaresBeyondRounding } from "./rounding.ts";

export interface FTest {
  /** Values in all. */
  readonly n: number;
  readonly f: number;
  readonly degreesOfFreedom: readonly [between: number, within: number];
  readonly p: number;
}

/**
 * One-way analysis of variance: F = [Σ n_j(x̄_j − x̄)²/(k−1)] / [ΣΣ(x − x̄_j)²/(n−k)].
 *
 * Takes the groups as independent. Where the same seeds or clients run under every method, use {@link twoWayAnova}.
 *
 * @throws RangeError unless there are two or more groups, none empty, and more values than groups.
 */
export function oneWayAnova(groups: readonly ArrayLike<number>[]): FTest {
  const n = groups.reduce((sum, group) => sum + group.length, 0);
  const k = groups.length;
  if (k < 2 || n <= k)
    throw new RangeError(`An analysis of variance needs two groups and more values than groups; got ${k} and ${n}.`);
  const all = groups.flatMap((group) => Array.from(group));
  const centre = mean(all);
  let between = 0;
  let within = 0;
  for (const group of groups) {
    between += group.length * (mean(group) - centre) ** 2;
    within += sumOfSquaredDeviations(group);
  }
  return fTest(n, squaresBeyondRounding(between, n, roundingOf(n, largestOf(all))), k - 1, within, n - k);
}

/**
 * Two-way analysis of variance without replication: does the method matter once differences between blocks (seeds, data sets, clients)
 * are taken out? The error is what neither a method's nor a block's mean explains.
 *
 * @param values one row per method, one column per block.
 * @throws RangeError unless there are at least two of each and every method has every block.
 */
export function twoWayAnova(values: readonly ArrayLike<number>[]): FTest {
  const methods = values.length;
  const blocks = values[0]?.length ?? 0;
  if (methods < 2 || blocks < 2 || values.some((row) => row.length !== blocks))
    throw new RangeError(
      `Every method needs a value for every block, two or more of each; got ${methods} methods and ${blocks} blocks.`,
    );
  const rowMeans = values.map(mean);
  const columnMeans = Array.from({ length: blocks }, (_, b) => mean(values.map((row) => row[b] as number)));
  const centre = mean(rowMeans);
  let error = 0;
  for (const [m, row] of values.entries())
    for (let b = 0; b < blocks; b++)
      error += ((row[b] as number) - (rowMeans[m] as number) - (columnMeans[b] as number) + centre) ** 2;
  const n = methods * blocks;
  const rounding = roundingOf(n, largestOf(values.map(largestOf)));
  return fTest(
    n,
    squaresBeyondRounding(blocks * sumOfSquaredDeviations(rowMeans), n, rounding),
    methods - 1,
    squaresBeyondRounding(error, n, rounding),
    (methods - 1) * (blocks - 1),
  );
}

/** P(F ≥ f) = I_{d2/(d2 + d1·f)}(d2/2, d1/2). No variation within, beyond rounding: p is 1 without any between, else 0. */
function fTest(n: number, between: number, d1: number, within: number, d2: number): FTest {
  const f = within === 0 ? (between === 0 ? 0 : Infinity) : between / d1 / (within / d2);
  return { n, f, degreesOfFreedom: [d1, d2], p: betaRegularised(d2 / (d2 + d1 * f), d2 / 2, d1 / 2) };
}
