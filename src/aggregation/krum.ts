// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { type ExactDistances, exactDistances } from "./gramSpace.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type KrumParameters = Extract<AggregationConfig, { rule: "krum" }>["parameters"];

/**
 * Krum: the one update with the lowest score, score_i = Σ of the K−f−2 smallest ‖Δ_i − Δ_k‖² over k ≠ i; ties to the lowest id. f = `byzantine`.
 *
 * Tolerates f. Its result is one member's update, so the other honest ones are wasted and, where data differ, whoever is most typical wins every
 * round. Identical updates are at distance 0: K−f−1 sybils that agree take it over. Needs K ≥ 2f+3.
 *
 * Paper: Blanchard et al. 2017, "Machine learning with adversaries: Byzantine tolerant gradient descent".
 */
export function krum({ byzantine }: KrumParameters) {
  return ({ gram }: RuleInput): WeighedUpdates => lowestScored(gram.length, byzantine, 1, exactDistances(gram));
}

/** Equal weights for the `selected` updates with the lowest Krum scores. */
export function lowestScored(
  count: number,
  byzantine: number,
  selected: number,
  distances: ExactDistances,
): WeighedUpdates {
  const kept = new Array<boolean>(count).fill(false);
  for (const i of lowestFirst(krumScores(distances, count - byzantine - 2)).slice(0, selected)) kept[i] = true;
  return { kind: "weights", kept, shares: kept.map((isKept) => (isKept ? 1n : 0n)) };
}

/** For each update the sum of its `neighbours` smallest squared distances to others, exact. */
export function krumScores(distances: ExactDistances, neighbours: number): bigint[] {
  return distances.map((row, i) =>
    row
      .filter((_, k) => k !== i)
      .sort(ascending)
      .slice(0, neighbours)
      .reduce((sum, distance) => sum + distance, 0n),
  );
}

/** Indices by ascending score; of equal scores the lowest index first. */
export function lowestFirst(scores: readonly bigint[]): number[] {
  return scores.map((_, i) => i).sort((i, k) => ascending(scores[i] as bigint, scores[k] as bigint) || i - k);
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
