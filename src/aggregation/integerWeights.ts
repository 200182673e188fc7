// SPDX-License-Identifier: Apache-2.0
import { WEIGHT_ONE } from "../protocol/grid.ts";
import { apportion } from "../protocol/largestRemainder.ts";
import type { ColumnShares } from "./rule.ts";

/** 2^52: scales a float weight in [0, 1] to an integer share without rounding away any bit that matters. */
const SHARE_SCALE = 4_503_599_627_370_496;
/** The share of a weight of 1. */
const SHARE_ONE = BigInt(SHARE_SCALE);

/** Half a unit of weight, 2^-17. Rules that bound an update's pull keep nothing lighter: the whole unit it would get pulls more than they allow. */
export const HALF_UNIT = 1 / 131_072;

/**
 * A rule's float weights as integer shares, ⌊a·2^52⌋.
 *
 * @param a weights in [0, 1].
 */
export function sharesOf(a: Float64Array): bigint[] {
  return Array.from(a, (weight) => BigInt(Math.floor(weight * SHARE_SCALE)));
}

/**
 * Float weights of a rule that shrinks: what they lack to 1 stays unspent.
 *
 * @param a weights in [0, 1], in sum at most 1 up to rounding.
 * @param kept what is not gets no share.
 */
export function sharesWithin(a: Float64Array, kept: readonly boolean[]): Required<ColumnShares> {
  const shares = sharesOf(a).map((share, i) => (kept[i] ? share : 0n));
  const spent = shares.reduce((sum, share) => sum + share, 0n);
  return { shares, unspent: spent < SHARE_ONE ? SHARE_ONE - spent : 0n };
}

/**
 * One column of λ: 2^16 by largest remainder of the shares, or less by what is left unspent. A kept update whose weight rounds to 0 gets one unit from the largest (ties:
 * lowest id), because *kept* was decided before rounding and must show in the model.
 *
 * @param shares ≥ 0, ascending memberId; those not kept count as 0.
 * @param kept at least one, whose share is positive, unless all is unspent.
 * @param unspent share of 2^16 that no update gets, on the scale of the shares; it takes part in the largest remainder as if it came last.
 */
export function integerWeights(shares: readonly bigint[], kept: readonly boolean[], unspent = 0n): Uint32Array {
  const { amounts } = apportion(BigInt(WEIGHT_ONE), [...shares.map((share, i) => (kept[i] ? share : 0n)), unspent]);
  // The unspent part last, so that it may give a unit too.
  const weights = Uint32Array.from(amounts, Number);
  for (const [i, isKept] of kept.entries()) {
    if (!isKept || weights[i] !== 0) continue;
    const largest = weights.reduce((best, weight, k) => (weight > (weights[best] as number) ? k : best), 0);
    weights[largest] = (weights[largest] as number) - 1;
    weights[i] = 1;
  }
  return weights.subarray(0, shares.length);
}
