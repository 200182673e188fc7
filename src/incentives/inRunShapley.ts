// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { roundHalfAwayFromZero } from "../protocol/math.ts";
import { score } from "./utility.ts";

/** What in-run scores are a function of; lists are K × groups, row by row, like λ. */
export interface InRunInput {
  /** The round's λ, units 2^-16. */
  readonly weights: Uint32Array;
  readonly groups: number;
  /** ⟨g, Δ_i⟩ within each tensor group, g the gradient of the held-out loss at the head; integers in 2^-fractionBits nats. */
  readonly gradientProducts: readonly bigint[];
  /** ⟨HΔ̄, Δ_i⟩ likewise, H the Hessian there and Δ̄ the round's movement: one Hessian-vector product for all. Left out: first order. */
  readonly curvatureProducts?: readonly bigint[];
  readonly fractionBits: number;
}

/**
 * In-run Shapley values: those of the game in which a coalition's utility is the Taylor expansion of the loss it takes away,
 *
 *     v(S) = −⟨g, Σ_{i∈S} λ_iΔ_i⟩ − ½ ⟨Σ_S λ_iΔ_i, H Σ_S λ_jΔ_j⟩,   φ_i = −λ_i⟨g, Δ_i⟩ − ½ λ_i⟨Δ_i, HΔ̄⟩.
 *
 * In closed form, so for any K one gradient (and one Hessian-vector product) instead of an evaluation per coalition. Two differences from the
 * sampled scores: a coalition keeps the weights of the round instead of sharing all weight among its own, and the loss is its expansion at the
 * head, which is good for short movements. Σφ = v(N) but for rounding down.
 *
 * @returns integers in 2^-20 nats, saturating at int32.
 * Paper: Wang et al. 2024, "Data Shapley in one training run" (theorems 3 and 4), with updates in the place of gradients.
 */
export function inRunShapley({
  weights,
  groups,
  gradientProducts,
  curvatureProducts,
  fractionBits,
}: InRunInput): number[] {
  for (const products of [gradientProducts, curvatureProducts ?? gradientProducts]) {
    if (products.length === weights.length && weights.length % groups === 0) continue;
    throw new FoedusError(
      "BAD_SCORING",
      `${products.length} inner products do not belong to ${weights.length} weights.`,
      {
        values: { products: products.length, weights: weights.length, groups },
      },
    );
  }
  return Array.from({ length: weights.length / groups }, (_, i) => {
    let sum = 0n;
    for (let at = i * groups; at < (i + 1) * groups; at++)
      sum -= BigInt(weights[at] as number) * (2n * (gradientProducts[at] as bigint) + (curvatureProducts?.[at] ?? 0n));
    // Units 2^-(16 + fractionBits + 1) of a nat to 2^-20.
    return score(sum << 20n, 1n << BigInt(17 + fractionBits));
  });
}

/**
 * Inner products in nats as integers in 2^-fractionBits nats: for callers that have them as floats.
 *
 * @throws FoedusError BAD_SCORING for one that is not finite.
 */
export function productsOnGrid(products: ArrayLike<number>, fractionBits: number): bigint[] {
  return Array.from(products, (product) => {
    const scaled = product * Number(1n << BigInt(fractionBits));
    if (!Number.isFinite(scaled))
      throw new FoedusError("BAD_SCORING", `An inner product of ${product} cannot be scored.`, { values: { product } });
    return BigInt(roundHalfAwayFromZero(scaled));
  });
}
