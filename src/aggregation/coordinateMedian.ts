// SPDX-License-Identifier: Apache-2.0
import type { CoordinateResult, RuleInput } from "./rule.ts";

/**
 * Coordinate-wise median: Δ̄_j = median_i Δ_ij; for even K the mean of the two middle values, exact on the master grid.
 *
 * Each coordinate lies between honest values while f ≤ ⌈K/2⌉ − 1. Biased where members' data differ, since it ignores how far apart the
 * values are. Needs K ≥ 3, below which it tolerates no Byzantine update.
 *
 * Paper: Yin et al. 2018, "Byzantine-robust distributed learning: towards optimal statistical rates".
 */
export function coordinateMedian({ samples }: RuleInput): CoordinateResult {
  return {
    kind: "coordinates",
    kept: samples.map(() => true),
    combine: (kernels, updates, room) => kernels.coordinateMedian(updates, room),
  };
}
