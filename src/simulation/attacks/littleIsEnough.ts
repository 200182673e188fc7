// SPDX-License-Identifier: Apache-2.0
import { normalQuantile } from "../../numerics/normalQuantile.ts";
import { ConfigError } from "../../protocol/errors.ts";
import type { CraftInput, Vector } from "./attack.ts";
import type { ConfigOf } from "./attackConfig.ts";
import { addScaled, moments } from "./vectors.ts";

/** Hard-coded in the code of Doc2, by the number of attackers; the formula gives other values. */
const TABLE = new Map([
  [3, 0.69847],
  [5, 0.7054],
  [8, 0.71904],
  [10, 0.72575],
  [12, 0.73891],
]);

/** More than this share of honest updates is never asked to lie further out. */
const MOST = 0.999;

/**
 * "A little is enough" (spec G5): all attackers send μ ± zσ, within the spread of the honest updates, so that no distance gives them away.
 *
 * Paper: Baruch, Baruch & Goldberg 2019, "A little is enough: circumventing defenses for distributed learning".
 */
export function littleIsEnough({ z, sign }: ConfigOf<"lie">, { benign, own, members }: CraftInput): readonly Vector[] {
  const { mean, deviation } = moments(benign);
  const crafted = addScaled(mean, sign * leewayOf(z, members, own.length), deviation);
  return own.map(() => crafted);
}

/** z as configured, for K members of which f attack. @throws ConfigError when the table has no entry for f. */
export function leewayOf(z: ConfigOf<"lie">["z"], members: number, attackers: number): number {
  if (typeof z === "number") return z;
  if (z === "formula") return largestLeeway(members, attackers);
  const listed = TABLE.get(attackers);
  if (listed === undefined)
    throw new ConfigError(
      `The table of z has entries for ${[...TABLE.keys()].join(", ")} attackers; this round has ${attackers}. Use z: formula, or a number.`,
      { attackers },
    );
  return listed;
}

/**
 * z_max = Φ⁻¹((K − f − s)/(K − f)): s = ⌊K/2 + 1⌋ − f honest updates must lie further out than the attackers for these to have a majority. With a
 * majority of their own (s ≤ 0) the quantile is capped.
 */
export function largestLeeway(members: number, attackers: number): number {
  const supporters = Math.floor(members / 2 + 1) - attackers;
  const honest = members - attackers;
  return normalQuantile(supporters <= 0 ? MOST : Math.min(MOST, (honest - supporters) / honest));
}
