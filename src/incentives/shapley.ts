// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { antitheticPair, marginalsAlong, type RoundName } from "./permutations.ts";
import { askedOnce, exactInteger, requirePlayers, score, type Utility } from "./utility.ts";

/**
 * Shapley values in integers, so that everybody who recomputes them gets the same ones.
 *
 * Players are numbered 0 … K−1 (the kept updates, ascending memberId); a coalition is a bitmap of players. Utilities and scores are
 * integers in 2^-20 nats with v(∅) = 0. Marginals are summed exactly and divided once, rounding down; a score saturates at int32.
 */

/** Most players of {@link exactShapley}: 2^10 − 1 evaluations. */
export const MAX_EXACT_PLAYERS = 10;

/**
 * φ_i = Σ_{S ∌ i} |S|!·(K−1−|S|)!/K! · (v(S ∪ i) − v(S)), over all coalitions.
 *
 * Rounding down costs each player less than one unit, so v(N) − K < Σφ ≤ v(N) unless a score saturates.
 *
 * @param players K ≤ 10; 0 gives no scores.
 * @throws FoedusError for more players; use {@link monteCarloShapley}.
 * Source: Shapley 1953.
 */
export async function exactShapley(players: number, utility: Utility): Promise<number[]> {
  requirePlayers(players, MAX_EXACT_PLAYERS);
  const coalitions = 1 << players;
  const values: bigint[] = [0n];
  for (let coalition = 1; coalition < coalitions; coalition++)
    values.push(exactInteger(await utility(BigInt(coalition)), BigInt(coalition)));

  const factorial = [1n];
  for (let i = 1; i <= players; i++) factorial.push((factorial[i - 1] as bigint) * BigInt(i));
  const scores: number[] = [];
  for (let player = 0; player < players; player++) {
    let sum = 0n;
    for (let without = 0; without < coalitions; without++) {
      if ((without >> player) & 1) continue;
      const size = bitCount(without);
      const orders = (factorial[size] as bigint) * (factorial[players - 1 - size] as bigint);
      sum += orders * ((values[without | (1 << player)] as bigint) - (values[without] as bigint));
    }
    scores.push(score(sum, factorial[players] as bigint));
  }
  return scores;
}

export interface MonteCarloOptions extends RoundName {
  /** M, orders scanned; even, because they come in antithetic pairs. Default max(30, 2K). */
  readonly permutations?: number;
  /** A scan stops, and the rest of its marginals are 0, when |v(N) − v(prefix)| is below this; units 2^-20 nats. Default 0: never. */
  readonly truncation?: number;
}

/**
 * The estimate φ̂_i = ⌊(1/M) Σ_m (v(prefix_m ∪ i) − v(prefix_m))⌋ over M random orders of the players.
 *
 * Order 2j is drawn from (R_t, "shapley", run, round, j) and order 2j+1 is its reverse: antithetic pairs, whose errors largely cancel.
 * Where nobody does harm truncation biases a score by less than `truncation`; without it every order's marginals add up to v(N).
 *
 * @param players K; 0 gives no scores.
 * Source: Castro et al. 2009; antithetic pairs: Mitchell et al. 2022; truncation: Ghorbani & Zou 2019.
 */
export async function monteCarloShapley(
  players: number,
  utility: Utility,
  options: MonteCarloOptions,
): Promise<number[]> {
  requirePlayers(players, Number.MAX_SAFE_INTEGER);
  const permutations = options.permutations ?? defaultPermutations(players);
  const truncation = BigInt(options.truncation ?? 0);
  if (!Number.isInteger(permutations) || permutations < 2 || permutations % 2 !== 0) {
    throw new FoedusError(
      "BAD_SCORING",
      `Antithetic orders come in pairs; ${permutations} is not a positive even number of them.`,
      { values: { permutations } },
    );
  }
  if (players === 0) return [];

  const { utilityOf } = askedOnce(utility);
  const total = await utilityOf((1n << BigInt(players)) - 1n);
  const sums = new Array<bigint>(players).fill(0n);
  for (let j = 0; j < permutations / 2; j++) {
    for (const order of antitheticPair(players, options, j)) {
      const marginals = await marginalsAlong(order, utilityOf, total, truncation);
      for (let player = 0; player < players; player++)
        sums[player] = (sums[player] as bigint) + (marginals[player] as bigint);
    }
  }
  return sums.map((sum) => score(sum, BigInt(permutations)));
}

/** M when the recipe names none: max(30, 2K). */
export function defaultPermutations(players: number): number {
  return Math.max(30, 2 * players);
}

function bitCount(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count++;
  return count;
}
