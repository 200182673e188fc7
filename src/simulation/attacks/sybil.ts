// SPDX-License-Identifier: Apache-2.0
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { meanOf, scaled } from "./vectors.ts";

/**
 * Sybils (spec G12): one adversary behind all the attackers' identities. `identical` sends one update under each: at distance 0 of one another
 * they are each other's nearest neighbours. `split` deals the coordinates among them, so that no single one is conspicuous and their sum is the
 * same update.
 */
export function sybil({ updates, scale }: ConfigOf<"sybil">, { own }: CraftInput): readonly Vector[] {
  const whole = scaled(scale, meanOf(own));
  if (updates === "identical") return own.map(() => whole);
  return own.map((_, i) => whole.map((value, j) => (j % own.length === i ? value : 0)));
}
