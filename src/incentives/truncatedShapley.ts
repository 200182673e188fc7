// SPDX-License-Identifier: Apache-2.0
import { type MonteCarloOptions, monteCarloShapley } from "./shapley.ts";
import { askedOnce, magnitude, type Utility } from "./utility.ts";

/** A scan stops within so many hundredths of |v(N)|. */
const HUNDREDTHS = 1n;

/**
 * Truncated Monte-Carlo (Ghorbani & Zou 2019; spec F4): a scan stops, and the rest of its marginals are 0, within 1 % of |v(N)|, or within
 * `truncation` where that is more. Unlike a fixed truncation it follows a run whose rounds gain less and less.
 *
 * @param players K; 0 gives no scores.
 */
export async function truncatedShapley(
  players: number,
  utility: Utility,
  options: MonteCarloOptions,
): Promise<number[]> {
  if (players === 0) return [];
  const { utilityOf } = askedOnce(utility);
  const relative = (HUNDREDTHS * magnitude(await utilityOf((1n << BigInt(players)) - 1n))) / 100n;
  const least = BigInt(options.truncation ?? 0);
  return monteCarloShapley(players, utilityOf, { ...options, truncation: Number(relative > least ? relative : least) });
}
