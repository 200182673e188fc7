// SPDX-License-Identifier: Apache-2.0
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { sharesOf } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";
import { normalised } from "./softmax.ts";

export type FairFedParameters = Extract<AggregationConfig, { rule: "fairfed" }>["parameters"];

/** ω̄ is remembered in units 2^-32. */
const STATE_ONE = 4_294_967_296;
/** |ω̄| stays below 2^20, so its integer stays exact. */
const STATE_LIMIT = 1_048_576;

/**
 * FairFed: members whose metric F_i lies close to the global one, F = Σ(n_i/n)F_i, gain weight: with the gap g_i = |F_i − F|,
 *
 *     ω̄_i ← ω̄_i − β(g_i − mean_j g_j),   ω̄_i = n_i/n before a member's first round,   λ_i = max(ω̄_i, 0) / Σ_j max(ω̄_j, 0).
 *
 * β = 0 is FedAvg. Where all ω̄ ≤ 0 all weigh the same. Who weighs nothing is not kept. ω̄ is `memberState`; the chain does not keep it, so the
 * rule is the laboratory's. The paper's metric is one of group fairness (equal opportunity over a sensitive attribute) and falls back to
 * accuracy where that is undefined; here it is the reported `accuracy` or `loss`. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: Ezzeldin et al. 2023, "FairFed: enabling group fairness in federated learning".
 */
export function fairFed({ beta, metric }: FairFedParameters) {
  return ({ losses, facts, samples }: RuleInput): WeighedUpdates => {
    const values = Float64Array.from(
      metric === "loss" ? losses : (facts.accuracies as readonly number[]),
      (m) => m / 65_536,
    );
    const share = normalised(Float64Array.from(samples));
    const before = share.map((initial, i) => {
      const state = facts.memberState?.[i];
      return state === undefined ? initial : state / STATE_ONE;
    });
    const after = movedByGap(before, values, share, beta);
    const positive = after.map((weight) => (weight > 0 ? weight : 0));
    const any = positive.some((weight) => weight > 0);
    const shares = sharesOf(normalised(any ? positive : positive.fill(1)));
    return {
      kind: "weights",
      kept: shares.map((one) => one > 0n),
      shares,
      memberState: Array.from(after, (weight) => Math.floor(weight * STATE_ONE)),
    };
  };
}

/** ω̄ after a round. */
function movedByGap(before: Float64Array, values: Float64Array, share: Float64Array, beta: number): Float64Array {
  let global = 0;
  for (const [i, value] of values.entries()) global += (share[i] as number) * value;
  const gaps = values.map((value) => Math.abs(value - global));
  let sum = 0;
  for (const gap of gaps) sum += gap;
  const mean = sum / gaps.length;
  return before.map((weight, i) => {
    const moved = weight - beta * ((gaps[i] as number) - mean);
    return moved > STATE_LIMIT ? STATE_LIMIT : moved < -STATE_LIMIT ? -STATE_LIMIT : moved;
  });
}
