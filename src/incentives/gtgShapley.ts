// SPDX-License-Identifier: Apache-2.0
import { keyedRandom } from "../protocol/random.ts";
import { marginalsAlong, type RoundName } from "./permutations.ts";
import { askedOnce, magnitude, requirePlayers, score, type Utility } from "./utility.ts";

/** Orders before convergence is looked at: max(30, K). */
const LEAST_ORDERS = 30;
/** Running means that are compared with the last. */
const COMPARED = 10;
/** They may differ from it by so much on average, relatively. */
const CONVERGED = 0.05;
/** 10^-12 nats in units 2^-20: keeps a mean of 0 from dividing by 0. */
const SMALLEST = 1e-12 * 1_048_576;

export interface GtgOptions extends RoundName {
  /** Most orders; default 2 000. At least one for each player is drawn. */
  readonly permutations?: number;
  /** Between rounds: |v(N)| up to this scores 0 for all. Within one: a scan stops when |v(N) − v(prefix)| is below it. Units 2^-20 nats; 0: never. */
  readonly truncation?: number;
}

/**
 * Guided truncation gradient Shapley: an estimate from far fewer evaluations where most of a round is in a few updates.
 *
 * Order m, drawn from (R_t, "gtg", run, round, m), begins with player m mod K, so that everybody is first equally often; the rest is random.
 * Sampling ends, always after whole turns through the players, when the last 10 running means differ from the last one by at most 5 % on
 * average, after max(30, K) orders; or at `permutations`; or when 0.8·2^K coalitions have been evaluated. Scores are normalised to Σφ = v(N), what
 * truncation cut off included, and rounded down.
 *
 * @param players K; 0 gives no scores.
 * Paper: Liu et al. 2022, "GTG-Shapley: efficient and accurate participant contribution evaluation in federated learning".
 */
export async function gtgShapley(players: number, utility: Utility, options: GtgOptions): Promise<number[]> {
  requirePlayers(players, Number.MAX_SAFE_INTEGER);
  const { permutations = 2_000, truncation = 0 } = options;
  if (players === 0) return [];
  const { utilityOf, asked } = askedOnce(utility);
  const total = await utilityOf((1n << BigInt(players)) - 1n);
  if (truncation > 0 && magnitude(total) <= BigInt(truncation)) return new Array<number>(players).fill(0);

  const sums = new Array<bigint>(players).fill(0n);
  const means: Float64Array[] = [];
  const enough = Math.max(LEAST_ORDERS, players);
  let count = 0;
  do {
    const marginals = await marginalsAlong(guidedOrder(players, options, count), utilityOf, total, BigInt(truncation));
    for (const [player, marginal] of marginals.entries()) sums[player] = (sums[player] as bigint) + marginal;
    count += 1;
    means.push(Float64Array.from(sums, (sum) => Number(sum) / count));
    if (means.length > COMPARED + 1) means.shift();
  } while (
    count % players !== 0 ||
    !(count >= permutations || asked() >= coalitionLimit(players) || (count >= enough && haveConverged(means)))
  );
  return normalised(sums, total, count);
}

/** Player m mod K first, the others in random order. */
function guidedOrder(players: number, { beacon, run, round }: RoundName, m: number): number[] {
  const first = m % players;
  const rest = keyedRandom(beacon, "gtg", run, round, m).permutation(players - 1);
  return [first, ...rest.map((player) => (player < first ? player : player + 1))];
}

/** 0.8·2^K, out of reach beyond 50 players. */
function coalitionLimit(players: number): number {
  return players > 50 ? Infinity : 0.8 * Number(1n << BigInt(players));
}

function haveConverged(means: readonly Float64Array[]): boolean {
  const last = means.at(-1) as Float64Array;
  return means.slice(0, -1).every((earlier) => {
    let sum = 0;
    for (const [i, value] of last.entries())
      sum += Math.abs((earlier[i] as number) - value) / (Math.abs(value) + SMALLEST);
    return sum / last.length <= CONVERGED;
  });
}

/**
 * What truncation left out of v(N) is shared in proportion to |φ|: where all scores have one sign that is the paper's scaling, and where they
 * nearly cancel it stays as small as the truncation, which scaling would not. Who adds nothing keeps 0.
 */
function normalised(sums: readonly bigint[], total: bigint, count: number): number[] {
  const orders = BigInt(count);
  const left = total * orders - sums.reduce((all, one) => all + one, 0n);
  if (left === 0n) return sums.map((sum) => score(sum, orders));
  // Not 0: a scan that found no marginal would have left out all of v(N), and so not have begun.
  const extent = sums.reduce((all, one) => all + magnitude(one), 0n);
  return sums.map((sum) => score(sum * extent + left * magnitude(sum), orders * extent));
}
