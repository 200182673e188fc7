// SPDX-License-Identifier: Apache-2.0
import { exp, log } from "../protocol/math.ts";
import type { AggregationConfig } from "../protocol/recipe/aggregationConfig.ts";

export type StalenessParameters = Extract<AggregationConfig, { rule: "fedbuff" }>["parameters"]["staleness"];

/**
 * ψ(a), how much an update counts that was computed from the model of a rounds ago; 1 for a = 0, never more, and 0 beyond `limit`.
 *
 * `polynomial`: (1+a)^{−exponent}. `hinge`: 1 up to a = `after`, then 1/(slope·(a − after) + 1).
 *
 * Paper: Xie, Koyejo, Gupta 2019, "Asynchronous federated optimization", section 5.
 */
export function stalenessWeight(age: number, parameters: StalenessParameters): number {
  if (age > parameters.limit) return 0;
  if (parameters.decay === "polynomial") return exp(-parameters.exponent * log(1 + age));
  return age <= parameters.after ? 1 : 1 / (parameters.slope * (age - parameters.after) + 1);
}
