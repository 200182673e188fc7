// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import { powerOfTwo } from "../../protocol/grid.ts";
import type { AuxiliaryTensor } from "./localAlgorithm.ts";

/** What travels for the angle: the members' mean f and mean f², f the loss in units of LOSS_UNIT. */
export const LOSSES: AuxiliaryTensor = { name: "fedeba.losses", shape: [2] };

/** Nats. Losses above it count as it (chance among 54 classes is as much), so that neither f nor f² is above 1, which the run's bounds have to let through. */
const LOSS_UNIT = 4;

/** f and f² of a member's loss, nats, as they travel. */
export function lossMoments(loss: number): Float32Array {
  const part = Math.min(loss / LOSS_UNIT, 1);
  return Float32Array.of(part, part * part);
}

/**
 * The angle between the losses and all ones, degrees from 0 (all alike) to 90 (spec B11): cos θ = E[F]/√E[F²], in any unit. With equal weights that is
 * ΣF/(‖F‖·√K); with the weights of a rule, the angle in their inner product Σ p_i·a_i·b_i.
 *
 * Means come off a grid, and may bear noise: a cosine just above 1 is 1, one below 0 is 0, and where no square is left the angle is 0.
 */
export function lossAngle(mean: number, meanSquare: number): number {
  if (!(meanSquare > 0)) return 0;
  const cosine = Math.max(0, Math.min(1, mean / Math.sqrt(meanSquare)));
  return (Math.acos(cosine) * 180) / Math.PI;
}

/**
 * @param bounds of updates: the largest change of a coordinate, in units of the grid.
 * @throws ConfigError where these would cut the losses of a first round, and with them the angle.
 */
export function requireLossRange(
  tensors: readonly { readonly name: string; readonly fractionBits: number }[],
  { maxCoordinate }: { readonly maxCoordinate: number },
): void {
  const bits = tensors.find(({ name }) => name === LOSSES.name)?.fractionBits;
  // The largest bound there is, 2^24 − 1, is one unit less than 1 on the finest grid.
  if (bits === undefined || maxCoordinate >= powerOfTwo(bits) - 1) return;
  throw new ConfigError(
    `${LOSSES.name} goes up to 1, and update.maxCoordinate lets ${maxCoordinate / powerOfTwo(bits)} through. Set it to ${powerOfTwo(bits)} or more, or leave switchAngle out.`,
    { maxCoordinate, fractionBits: bits },
  );
}
