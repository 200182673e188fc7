// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { AuxiliaryTensor } from "./localAlgorithm.ts";

/** What travels for the angle: the members' mean F and mean F², in nats and nats². */
export const LOSSES: AuxiliaryTensor = { name: "fedeba.losses", shape: [2] };

/** Losses above it count as it, nats: F² then stays below 16 = 2^24·2^-20, the update grid's range at 20 fraction bits. */
const LOSS_LIMIT = 3.999;
export const MOST_FRACTION_BITS = 20;

/** F and F² of a member's loss as they travel, clipped to what the update grid holds (3.999 nats; chance among 54 classes is as much). */
export function lossMoments(loss: number): Float32Array {
  const clipped = Math.min(loss, LOSS_LIMIT);
  return Float32Array.of(clipped, clipped * clipped);
}

/**
 * The angle between the losses and all ones, degrees from 0 (all alike) to 90 (spec B11): cos θ = E[F]/√E[F²]. With equal weights that is
 * ΣF/(‖F‖·√K); with the weights of a rule, the angle in their inner product Σ p_i·a_i·b_i.
 *
 * Means come off a grid, and may bear noise: a cosine just above 1 is 1, one below 0 is 0, and where no square is left the angle is 0.
 */
export function lossAngle(mean: number, meanSquare: number): number {
  if (!(meanSquare > 0)) return 0;
  const cosine = Math.max(0, Math.min(1, mean / Math.sqrt(meanSquare)));
  return (Math.acos(cosine) * 180) / Math.PI;
}

/** @throws ConfigError where the grid of `fedeba.losses` is too fine for losses squared. */
export function requireLossRange(tensors: readonly { readonly name: string; readonly fractionBits: number }[]): void {
  const bits = tensors.find(({ name }) => name === LOSSES.name)?.fractionBits ?? 0;
  if (bits <= MOST_FRACTION_BITS) return;
  throw new ConfigError(
    `${LOSSES.name} has ${bits} fraction bits, which leaves no room for losses squared. Take ${MOST_FRACTION_BITS} at most, or leave switchAngle out.`,
    { fractionBits: bits },
  );
}
