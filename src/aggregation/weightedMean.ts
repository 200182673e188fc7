// SPDX-License-Identifier: Apache-2.0
import type { RuleInput, WeighedUpdates } from "./rule.ts";

/**
 * FedAvg: Δ̄ = Σ_{i∈S} (n_i / n_S) Δ_i, n_S = Σ_{i∈S} n_i over the accepted updates S.
 *
 * n_i is what the member signed; the ledger caps it at the member's registered maximum, which bounds the influence a false n_i buys.
 * Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: McMahan et al. 2017, "Communication-efficient learning of deep networks from decentralized data".
 */
export function weightedMean({ samples }: RuleInput): WeighedUpdates {
  return { kind: "weights", kept: samples.map(() => true), shares: samples.map(BigInt) };
}
