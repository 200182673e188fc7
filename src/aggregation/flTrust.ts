// SPDX-License-Identifier: Apache-2.0
import { HALF_UNIT, sharesWithin } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

/**
 * FLTrust: trust TS_i = max(0, cos(Δ_i, Δ_0)) in each update by its direction, Δ_0 the server's own update from a small trusted root set, and
 * move by Σ_i TS_i·min(1, ‖Δ_0‖/‖Δ_i‖)·Δ_i / Σ_j TS_j.
 *
 * The paper also lengthens updates that are shorter than Δ_0. Weights on the grid never sum to more than 1, so here they count as they are, and
 * the rest of the weight stays unspent; docs/decisions/0017 has the alternatives, each of which lets one short update stall the others. No update
 * moves the model by more than ‖Δ_0‖·TS_i/ΣTS, and all of them by no more than ‖Δ_0‖.
 *
 * An update of zeros, across or against the root's direction has trust 0 and is not kept; neither is one whose weight is less than half a unit,
 * since the unit that everything kept gets would pull more than it may. Where nothing is left (a root of zeros too) the round has no result.
 * No bound is claimed: it rests on the root set having the members' distribution (18.3 % on skewed CIFAR-10 where it has not). Needs K ≥ 1.
 *
 * Paper: Cao, Fang, Liu, Gong 2021, "FLTrust: Byzantine-robust federated learning via trust bootstrapping".
 */
export function flTrust({ groups }: RuleInput): WeighedUpdates {
  const sumOf = (of: (group: RuleInput["groups"][number]) => bigint): number =>
    Number(groups.reduce((sum, group) => sum + of(group), 0n));
  const rootNorm = Math.sqrt(sumOf(({ anchorNorm }) => anchorNorm));
  const count = groups[0]?.norms.length ?? 0;
  const norms = Float64Array.from({ length: count }, (_, i) => Math.sqrt(sumOf((group) => group.norms[i] as bigint)));
  const trust = norms.map((norm, i) => {
    const product = sumOf((group) => group.anchored[i] as bigint);
    return product > 0 ? product / (norm * rootNorm) : 0;
  });
  let total = 0;
  for (const one of trust) total += one;
  const weights = trust.map((one, i) => {
    const norm = norms[i] as number;
    return one > 0 ? (one / total) * (norm > rootNorm ? rootNorm / norm : 1) : 0;
  });
  const kept = Array.from(weights, (weight) => weight >= HALF_UNIT);
  return { kind: "weights", kept, ...sharesWithin(weights, kept) };
}
