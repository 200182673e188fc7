// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { meanOf, scaled } from "./vectors.ts";

/**
 * Negation (spec G3): Δ' = −s·Δ of the attacker's own update, or −s·μ of the mean of those it knows, which is sign flipping for s = 1 and
 * inner-product manipulation for other s (Xie et al. 2019).
 */
export function negation({ scale, of }: ConfigOf<"negation">, { own, benign }: CraftInput): readonly Vector[] {
  if (of === "own") return own.map((update) => scaled(-scale, update));
  const opposite = scaled(-scale, meanOf(benign));
  return own.map(() => opposite);
}
