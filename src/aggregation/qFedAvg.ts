// SPDX-License-Identifier: Apache-2.0
import { powerOfTwo } from "../protocol/grid.ts";
import { exp, log } from "../protocol/math.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";
import { lossesInNats } from "./fedEba.ts";
import { sharesWithin } from "./integerWeights.ts";
import type { RuleInput, WeighedUpdates } from "./rule.ts";

export type QFedAvgParameters = Extract<AggregationConfig, { rule: "q-fedavg" }>["parameters"];

/** Added to each loss, so that one of 0 has a logarithm. */
const SMALLEST_LOSS = 1e-10;

/**
 * q-FedAvg, for min Σ_i F_i^{q+1}/(q+1): the higher a member's loss F_i, the more weight, and the steeper the objective, the shorter the step. With
 * L = 1/η (η = `learningRate`, the members') and the members' Δ_i,
 *
 *     w ← w + Σ_i L·F_i^q·Δ_i / Σ_i h_i,   h_i = q·F_i^{q−1}·L²‖Δ_i‖² + L·F_i^q.
 *
 * So λ_i = L·F_i^q / Σh, which never sums to more than 1; what it lacks is unspent. q = 0 is the uniform mean.
 *
 * Losses are what members say; `capMads` clips them to median + k·MAD. For q < 1 a loss of nearly 0 makes h_i huge: one liar can stall a round.
 * A weight may fall below a unit; everything kept gets one all the same. Tolerates no Byzantine update. Needs K ≥ 1.
 *
 * Paper: Li, Sanjabi, Beirami, Smith 2020, "Fair resource allocation in federated learning", Algorithm 2.
 */
export function qFedAvg({ q, learningRate, capMads }: QFedAvgParameters) {
  return ({ losses, gram, maxFractionBits }: RuleInput): WeighedUpdates => {
    const unit = powerOfTwo(-maxFractionBits);
    const inverse = 1 / learningRate;
    const logs = lossesInNats(losses, capMads).map((loss) => log(loss + SMALLEST_LOSS));
    const pulls = logs.map((logarithm) => inverse * exp(q * logarithm));
    let total = 0;
    for (const [i, logarithm] of logs.entries()) {
      const length = Math.sqrt(Number(gram[i]?.[i] as bigint)) * unit * inverse;
      total += q * exp((q - 1) * logarithm) * length * length + (pulls[i] as number);
    }
    const weights = pulls.map((pull) => pull / total);
    const kept = Array.from(weights, (weight) => weight >= SMALLEST_SHARE);
    return { kind: "weights", kept, ...sharesWithin(weights, kept) };
  };
}

/** Below this a share is 0: 2^-52. */
const SMALLEST_SHARE = powerOfTwo(-52);
