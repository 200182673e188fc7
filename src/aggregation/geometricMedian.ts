// SPDX-License-Identifier: Apache-2.0
import { distancesTo, median, type SquaredDistances, squaredDistances } from "./gramSpace.ts";
import { sharesOf } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

/** Smoothing ν relative to the median distance of the first step: keeps a point that the median sits on from dividing by 0. */
const RELATIVE_SMOOTHING = 1e-6;
const SMALLEST_SCALE = 1e-30;
/** The iteration ends when the weights move less than this in sum. */
const TOLERANCE = 1e-9;
const MAX_ITERATIONS = 200;

/**
 * Geometric median: argmin_z Σ_{i} ‖Δ_i − z‖, as the weighted sum that smoothed Weiszfeld steps reach.
 *
 * ‖z − x̄_H‖ ≤ (2(K−f)/(K−2f)) · max_{i∈H} ‖Δ_i − x̄_H‖ for f < K/2, whatever the attackers' magnitude. Updates count alike whatever n_i they
 * state, or a false n_i would move the breakdown point. Every update keeps a positive weight, so all are kept. Needs K ≥ 3, below which it
 * tolerates no Byzantine update.
 *
 * Papers: Weiszfeld 1937; Minsker 2015; Pillutla et al. 2019, "Robust aggregation for federated learning".
 */
export function geometricMedian({ samples, gram }: RuleInput): WeighedUpdates {
  const weights = geometricMedianWeights(squaredDistances(gram));
  return { kind: "weights", kept: samples.map(() => true), shares: sharesOf(weights) };
}

/**
 * Weights a with z = Σ a_j x_j the (smoothed) geometric median, from squared distances alone: a_i ← (1/max(ν, r_i)) / Σ, r_i = ‖x_i − z‖.
 *
 * @returns a_i > 0, Σ a = 1 up to rounding; 1/K each where all points coincide or there are at most two.
 */
export function geometricMedianWeights(distances: SquaredDistances): Float64Array {
  const count = Math.sqrt(distances.length);
  let a = new Float64Array(count).fill(1 / count);
  if (count <= 2) return a;
  let radii = distancesTo(distances, a);
  const middle = median(radii);
  const smoothing = RELATIVE_SMOOTHING * (middle > SMALLEST_SCALE ? middle : SMALLEST_SCALE);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const pulls = radii.map((radius) => 1 / (radius > smoothing ? radius : smoothing));
    let total = 0;
    for (const pull of pulls) total += pull;
    const next = pulls.map((pull) => pull / total);
    let change = 0;
    for (let i = 0; i < count; i++) change += Math.abs((next[i] as number) - (a[i] as number));
    a = next;
    if (change < TOLERANCE) break;
    radii = distancesTo(distances, a);
  }
  return a;
}
