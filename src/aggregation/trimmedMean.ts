// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import type { CoordinateResult, RuleInput } from "./rule.ts";

export type TrimmedMeanParameters = Extract<AggregationConfig, { rule: "trimmed-mean" }>["parameters"];

/**
 * Coordinate-wise trimmed mean: of each coordinate's K values drop the b largest and the b smallest and average the K−2b that are left, rounded
 * once to the master grid. b = `trim`; 0 is the unweighted mean.
 *
 * Each coordinate lies between honest values while f ≤ b. More accurate than the median where few updates are Byzantine, and as biased where
 * members' data differ. Needs K ≥ 2b+1, or nothing would be left.
 *
 * Paper: Yin et al. 2018, "Byzantine-robust distributed learning: towards optimal statistical rates".
 */
export function trimmedMean({ trim }: TrimmedMeanParameters) {
  return ({ samples }: RuleInput): CoordinateResult => ({
    kind: "coordinates",
    kept: samples.map(() => true),
    combine: (kernels, updates, room) => kernels.trimmedMean(updates, trim, room),
  });
}
