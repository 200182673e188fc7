// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled, dot, largestEntry, moments, norm, scaled, squaredDistance, squaredDistances } from "./vectors.ts";

type Direction = ConfigOf<"min-max">["direction"];

/**
 * Min-Max (spec G8): Δ' = μ + γp with the largest γ that keeps every ‖Δ' − Δ_i‖² within the largest ‖Δ_i − Δ_j‖² of two honest updates.
 *
 * The published code finds γ by halving steps; each constraint is a quadratic in γ, so here it is solved.
 *
 * Paper: Shejwalkar & Houmansadr 2021, "Manipulating the Byzantine: optimizing model poisoning attacks and defenses for federated learning".
 */
export function minMax({ direction }: ConfigOf<"min-max">, { benign, own }: CraftInput): readonly Vector[] {
  const { mean, perturbation } = perturb(benign, direction);
  const bound = largestEntry(squaredDistances(benign));
  const square = dot(perturbation, perturbation);
  // ‖μ + γp − Δ_i‖² = ‖μ − Δ_i‖² + 2γ⟨p, μ − Δ_i⟩ + γ²‖p‖² ≤ bound
  const limits = benign.map((update) => {
    const half = dot(perturbation, mean) - dot(perturbation, update);
    const room = Math.max(0, bound - squaredDistance(mean, update));
    return largestRoot(square, half, room);
  });
  const crafted = addScaled(mean, Math.min(...limits), perturbation);
  return own.map(() => crafted);
}

/**
 * Min-Sum (spec G8): as Min-Max, with Σ_i ‖Δ' − Δ_i‖² within the largest (paper) or smallest (published code) of the honest updates' own sums.
 */
export function minSum({ direction, bound }: ConfigOf<"min-sum">, { benign, own }: CraftInput): readonly Vector[] {
  const { mean, perturbation } = perturb(benign, direction);
  const sums = squaredDistances(benign).map((row) => row.reduce((sum, distance) => sum + distance, 0));
  const most = bound === "max" ? Math.max(...sums) : Math.min(...sums);
  const spread = benign.reduce((sum, update) => sum + squaredDistance(mean, update), 0);
  // Σ(μ − Δ_i) = 0, so the linear terms cancel: Σ‖μ − Δ_i‖² + nγ²‖p‖² ≤ most
  const gamma = largestRoot(benign.length * dot(perturbation, perturbation), 0, Math.max(0, most - spread));
  const crafted = addScaled(mean, gamma, perturbation);
  return own.map(() => crafted);
}

/** μ and the direction p: against the mean, against each coordinate's deviation, or against its sign. */
function perturb(benign: readonly Vector[], direction: Direction): { mean: Float64Array; perturbation: Float64Array } {
  const { mean, deviation } = moments(benign);
  if (direction === "std") return { mean, perturbation: scaled(-1, deviation) };
  if (direction === "sgn") return { mean, perturbation: mean.map((value) => -Math.sign(value)) };
  const length = norm(mean);
  return { mean, perturbation: scaled(length === 0 ? 0 : -1 / length, mean) };
}

/** The largest γ with square·γ² + 2·half·γ ≤ room; 0 where p is 0 and γ does not matter. */
function largestRoot(square: number, half: number, room: number): number {
  if (square === 0) return 0;
  return (Math.sqrt(half * half + square * room) - half) / square;
}
