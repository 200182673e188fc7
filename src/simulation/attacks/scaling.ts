// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { scaled } from "./vectors.ts";

/**
 * Scaling (spec G13): Δ' = sΔ. With s = K, and everybody else converged, the mean of the round becomes the attacker's model.
 *
 * Paper: Bagdasaryan et al. 2020, "How to backdoor federated learning".
 */
export function scaling({ scale }: ConfigOf<"scaling">, { own, members }: CraftInput): readonly Vector[] {
  return own.map((update) => scaled(scale ?? members, update));
}
