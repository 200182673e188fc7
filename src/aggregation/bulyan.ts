// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { type ExactDistances, exactDistances } from "./gramSpace.ts";
import { ascending } from "./krum.ts";
import type { CoordinateResult, RuleInput } from "./rule.ts";

export type BulyanParameters = Extract<AggregationConfig, { rule: "bulyan" }>["parameters"];

/**
 * Bulyan on Krum. First θ = K−2f updates are selected one after the other, each the Krum winner of what is left (see `selectByKrum`); then each
 * coordinate is the mean of the β = θ−2f selected values closest to their median, rounded once to the master grid. f = `byzantine`.
 *
 * Tolerates f, and unlike Krum also against one coordinate moved far in an update that is otherwise ordinary: every coordinate of the result
 * has a majority of honest values around it. Needs K ≥ 4f+3.
 *
 * Paper: El Mhamdi, Guerraoui, Rouault 2018, "The hidden vulnerability of distributed learning in Byzantium".
 */
export function bulyan({ byzantine }: BulyanParameters) {
  return ({ gram }: RuleInput): CoordinateResult => {
    const selected = gram.length - 2 * byzantine;
    const kept = new Array<boolean>(gram.length).fill(false);
    for (const i of selectByKrum(exactDistances(gram), byzantine, selected)) kept[i] = true;
    return {
      kind: "coordinates",
      kept,
      combine: (kernels, updates, room) => kernels.meanAroundMedian(updates, selected - 2 * byzantine, room),
    };
  };
}

/** An update's squared distances to the others, ascending, and how many of those still there make its score. */
interface Neighbourhood {
  readonly order: readonly number[];
  /** Place of each other update in `order`. */
  readonly place: readonly number[];
  /** The score sums what is left of order[0 … end). */
  end: number;
  score: bigint;
}

/**
 * `rounds` indices in the order in which they win: with m updates left, the one whose max(1, m−f−2) smallest squared distances to the others
 * left have the lowest sum; ties to the lowest index.
 *
 * Scores are not summed anew: a winner leaves and one neighbour fewer counts, so each score loses either the winner's distance or the largest it
 * has. All of it is exact, so the result is the same.
 */
export function selectByKrum(distances: ExactDistances, byzantine: number, rounds: number): number[] {
  const count = distances.length;
  const isLeft = new Array<boolean>(count).fill(true);
  const neighboursOf = (left: number): number => Math.min(left - 1, Math.max(1, left - byzantine - 2));
  const neighbourhoods = distances.map((row, i): Neighbourhood => {
    const order = row
      .map((_, k) => k)
      .filter((k) => k !== i)
      .sort((j, k) => ascending(row[j] as bigint, row[k] as bigint) || j - k);
    const place = new Array<number>(count).fill(-1);
    for (const [at, k] of order.entries()) place[k] = at;
    const end = neighboursOf(count);
    return { order, place, end, score: order.slice(0, end).reduce((sum, k) => sum + (row[k] as bigint), 0n) };
  });

  const winners: number[] = [];
  while (winners.length < rounds) {
    const winner = lowestLeft(neighbourhoods, isLeft);
    winners.push(winner);
    isLeft[winner] = false;
    const left = count - winners.length;
    const fewer = neighboursOf(left) < neighboursOf(left + 1);
    for (const [i, neighbourhood] of neighbourhoods.entries()) {
      if (isLeft[i]) withoutWinner(neighbourhood, distances[i] as readonly bigint[], winner, fewer, isLeft);
    }
  }
  return winners;
}

function lowestLeft(neighbourhoods: readonly Neighbourhood[], isLeft: readonly boolean[]): number {
  let best = -1;
  for (const [i, { score }] of neighbourhoods.entries()) {
    if (isLeft[i] && (best < 0 || score < (neighbourhoods[best] as Neighbourhood).score)) best = i;
  }
  return best;
}

/** Takes the winner out of a score, and the farthest neighbour if one fewer counts; or takes the next neighbour in if as many count as before. */
function withoutWinner(
  near: Neighbourhood,
  row: readonly bigint[],
  winner: number,
  fewer: boolean,
  isLeft: readonly boolean[],
): void {
  const counted = (near.place[winner] as number) < near.end;
  if (counted) near.score -= row[winner] as bigint;
  if (counted === fewer) return;
  const step = fewer ? -1 : 1;
  for (;;) {
    const at = fewer ? near.end - 1 : near.end;
    const other = near.order[at] as number;
    near.end += step;
    if (!isLeft[other]) continue;
    near.score += fewer ? -(row[other] as bigint) : (row[other] as bigint);
    return;
  }
}
