// SPDX-License-Identifier: Apache-2.0
import type { RuleInput, WeighedUpdates } from "./rule.ts";

/**
 * Uniform mean: Δ̄ = (1/K) Σ_i Δ_i, whatever number of samples members state.
 *
 * What differential privacy needs: with updates clipped to C one member moves the mean by at most 2C/K, while weights by samples would depend on
 * data that is to be protected. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: McMahan et al. 2018, "Learning differentially private recurrent language models" (the flat-weighted estimator).
 */
export function uniformMean({ samples }: RuleInput): WeighedUpdates {
  return { kind: "weights", kept: samples.map(() => true), shares: samples.map(() => 1n) };
}
