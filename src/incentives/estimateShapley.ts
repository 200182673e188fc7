// SPDX-License-Identifier: Apache-2.0
import { antitheticPair, marginalsAlong, type RoundName } from "./permutations.ts";
import { askedOnce, requirePlayers, score, type Utility } from "./utility.ts";

/** Utilities within 10^-4 nats of 0 are not worth more orders; units 2^-20 nats. */
const LEAST_UTILITY = 104.8576;

export interface EstimateOptions extends RoundName {
  /** Orders at least and at most, even; default 30 and 2 000. */
  readonly least?: number;
  readonly most?: number;
  /** Largest standard error that is good enough, as a part of the mean utility |v(N)|/K; default 0.05. */
  readonly precision?: number;
}

export interface ShapleyEstimate {
  /** ⌊mean marginal⌋, as {@link monteCarloShapley} gives it for as many orders. */
  readonly scores: number[];
  /** s_i², the sample variance of the player's marginals, squared units. */
  readonly variances: Float64Array;
  /** s_i/√M, as if orders were independent; antithetic pairs mostly do better. */
  readonly standardErrors: Float64Array;
  /** M. */
  readonly permutations: number;
  /** Coalitions evaluated. */
  readonly evaluations: number;
}

/**
 * The Monte-Carlo estimate with as many orders as it takes: until max_i SE_i ≤ `precision`·max(|v(N)|/K, 10^-4 nats), or `most`.
 *
 * For the laboratory, which may ask how sure a score is; a run fixes its orders in the recipe.
 *
 * Source: Castro et al. 2009; the stopping rule is ours.
 */
export async function estimateShapley(
  players: number,
  utility: Utility,
  options: EstimateOptions,
): Promise<ShapleyEstimate> {
  requirePlayers(players, Number.MAX_SAFE_INTEGER);
  const { least = 30, most = 2_000, precision = 0.05 } = options;
  const { utilityOf, asked } = askedOnce(utility);
  const total = players === 0 ? 0n : await utilityOf((1n << BigInt(players)) - 1n);
  const meanUtility = Math.abs(Number(total)) / Math.max(1, players);
  const goal = precision * Math.max(meanUtility, LEAST_UTILITY);
  const sums = new Array<bigint>(players).fill(0n);
  const squares = new Array<bigint>(players).fill(0n);
  const statistics = (count: number): Pick<ShapleyEstimate, "variances" | "standardErrors"> => {
    // M·Σx² − (Σx)², exact: nothing cancels.
    const variances = Float64Array.from(
      sums,
      (sum, i) => Number(BigInt(count) * (squares[i] as bigint) - sum * sum) / (count * (count - 1)),
    );
    return { variances, standardErrors: variances.map((variance) => Math.sqrt(variance / count)) };
  };
  let count = 0;
  for (;;) {
    for (const order of antitheticPair(players, options, count / 2)) {
      const marginals = await marginalsAlong(order, utilityOf, total, 0n);
      for (const [player, marginal] of marginals.entries()) {
        sums[player] = (sums[player] as bigint) + marginal;
        squares[player] = (squares[player] as bigint) + marginal * marginal;
      }
    }
    count += 2;
    const found = statistics(count);
    if (count >= most || (count >= least && found.standardErrors.every((error) => error <= goal)))
      return {
        scores: sums.map((sum) => score(sum, BigInt(count))),
        ...found,
        permutations: count,
        evaluations: asked(),
      };
  }
}

/** ‖φ̂ − φ‖₂ / ‖φ‖₂; 0 where both are all 0, ∞ where only φ is. */
export function relativeError(estimate: readonly number[], exact: readonly number[]): number {
  let difference = 0;
  let length = 0;
  for (const [i, value] of exact.entries()) {
    const miss = (estimate[i] as number) - value;
    difference += miss * miss;
    length += value * value;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / length);
}
