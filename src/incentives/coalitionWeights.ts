// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { WEIGHT_ONE } from "../protocol/grid.ts";
import { apportion } from "../protocol/largestRemainder.ts";

/**
 * Where a coalition's weights come from: `own`, the round's λ restricted to the coalition; `equal`, the same weight for everybody, for
 * coordinate rules, whose result is no weighted sum of updates.
 */
export type CoalitionWeighting = "own" | "equal";

/**
 * λ of the model that the updates in a coalition alone would have made: each column restricted to the coalition and renormalised by largest
 * remainder to that column's own sum (so what a rule shrank stays shrunk), or 2^16 shared equally.
 *
 * @param weights the round's λ, K × groups, row by row.
 * @param groups G, columns.
 * @param coalition rows in the coalition, ascending; not empty.
 * @returns K × groups, rows outside the coalition 0. A column in which the whole coalition has weight 0 stays 0: those tensors do not move.
 */
export function coalitionWeights(
  weights: Uint32Array,
  groups: number,
  coalition: readonly number[],
  weighting: CoalitionWeighting,
): Uint32Array {
  const rows = weights.length / groups;
  if (
    !Number.isInteger(rows) ||
    coalition.length === 0 ||
    coalition.some((row, i) => row < (i === 0 ? 0 : (coalition[i - 1] as number) + 1) || row >= rows)
  ) {
    throw new FoedusError(
      "BAD_COALITION",
      `[${coalition}] is not an ascending, non-empty selection of the ${rows} rows of λ.`,
      { values: { rows } },
    );
  }
  const out = new Uint32Array(weights.length);
  for (let group = 0; group < groups; group++) {
    const shares = coalition.map((row) => (weighting === "own" ? BigInt(weights[row * groups + group] as number) : 1n));
    if (shares.every((share) => share === 0n)) continue;
    const columnSum = weighting === "own" ? sumOfColumn(weights, groups, group) : BigInt(WEIGHT_ONE);
    const { amounts } = apportion(columnSum, shares);
    for (const [i, row] of coalition.entries()) out[row * groups + group] = Number(amounts[i]);
  }
  return out;
}

function sumOfColumn(weights: Uint32Array, groups: number, group: number): bigint {
  let sum = 0n;
  for (let at = group; at < weights.length; at += groups) sum += BigInt(weights[at] as number);
  return sum;
}
