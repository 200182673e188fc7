// SPDX-License-Identifier: Apache-2.0

/** Thresholds of a member's resource, high > low > min. */
export interface TierThresholds {
  readonly high: number;
  readonly low: number;
  readonly min: number;
  readonly lowMethod: "hmsdfl" | "msdfl";
}

/** What a member of some resource does. */
export type Tier =
  | { readonly method: "hmsdfl"; readonly projections: number }
  | { readonly method: "msdfl" }
  | { readonly method: "standard" };

/**
 * Tiers of HMSDFL (Doc2; spec B10.2): above `high` as many projections as classes, between `low` and `high` in proportion (2 … C−1), between `min`
 * and `low` one projection or MSDFL, below plain training, so that the slowest still take part.
 *
 * @param resource steps per second over the steps per second that a round's deadline demands.
 */
export function tierOf(resource: number, classes: number, { high, low, min, lowMethod }: TierThresholds): Tier {
  if (resource > high) return { method: "hmsdfl", projections: classes };
  if (resource > low) {
    const wanted = Math.round(1 + ((classes - 1) * (resource - low)) / (high - low));
    return { method: "hmsdfl", projections: Math.max(1, Math.min(classes - 1, Math.max(2, wanted))) };
  }
  if (!(resource > min)) return { method: "standard" };
  return lowMethod === "msdfl" ? { method: "msdfl" } : { method: "hmsdfl", projections: 1 };
}
