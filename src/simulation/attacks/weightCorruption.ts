// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled } from "./vectors.ts";

/**
 * Weight corruption (spec G4): ⌊share·d⌋ coordinates of the attacker's trained model w = w^t + Δ are drawn anew from N(0, std(w)²) or change
 * sign; Δ' = w' − w^t.
 */
export function weightCorruption(
  { share, by }: ConfigOf<"weight-corruption">,
  { own, received, random }: CraftInput,
): readonly Vector[] {
  return own.map((update, i) => {
    const stream = random.derive("corruption", i);
    const weights = addScaled(update, 1, received);
    const deviation = spread(weights);
    const crafted = Float64Array.from(update);
    const chosen = stream.permutation(weights.length).slice(0, Math.floor(share * weights.length));
    for (const j of chosen)
      crafted[j] = (by === "noise" ? deviation * stream.normal() : -(weights[j] as number)) - (received[j] as number);
    return crafted;
  });
}

function spread(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
