// SPDX-License-Identifier: Apache-2.0
import type { ScoringConfig } from "../protocol/recipe/scoringConfig.ts";
import { gtgShapley } from "./gtgShapley.ts";
import type { RoundName } from "./permutations.ts";
import { exactShapley, monteCarloShapley } from "./shapley.ts";
import type { Utility } from "./utility.ts";

/** How coalitions are chosen; in-run scores need none and are no business of this file. */
export interface SampledScoring extends Pick<ScoringConfig, "permutations" | "truncation"> {
  readonly method: Exclude<NonNullable<ScoringConfig["method"]>, `in-run${string}`>;
}

/**
 * Shapley values by the recipe's method: every coalition, antithetic orders, or guided ones.
 *
 * @throws FoedusError BAD_SCORING for `exact` with more than ten players.
 */
export function shapleyOf(
  { method, permutations, truncation }: SampledScoring,
  players: number,
  utility: Utility,
  name: RoundName,
): Promise<number[]> {
  switch (method) {
    case "exact":
      return exactShapley(players, utility);
    case "monte-carlo":
      return monteCarloShapley(players, utility, { permutations, truncation, ...name });
    case "gtg":
      return gtgShapley(players, utility, { permutations, truncation, ...name });
  }
}
