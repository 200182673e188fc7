// SPDX-License-Identifier: Apache-2.0
import { MASTER_LIMIT, MASTER_MIN, powerOfTwo, UPDATE_LIMIT, WEIGHT_ONE } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";

/** The run's bounds on one update. */
export interface UpdateBounds {
  /** Largest |q| of a coordinate, in grid units of its tensor. */
  readonly maxCoordinate: number;
  /** Largest Σq² in units 2^-2F_max. */
  readonly maxNormSq: bigint;
}

export interface Clipped {
  /** Grid units, not yet rounded. */
  readonly values: Float64Array;
  /** Coordinates cut to a bound of their own. */
  readonly coordinates: number;
  /** Factor of the L2 clip; 1 when the norm was within its bound. */
  readonly factor: number;
}

/** Largest |q| of any coordinate. */
export function coordinateLimit({ maxCoordinate }: UpdateBounds): number {
  return Math.min(maxCoordinate, UPDATE_LIMIT - 1);
}

/** The least q of a coordinate whose master value is m. ⌈⌉ so that it is on the master grid; never above 0, since m itself is in range. */
export function lowestValue(m: number, limit: number): number {
  return Math.max(-limit, Math.ceil((MASTER_MIN - m) / WEIGHT_ONE));
}

/** The greatest q of it, never below 0. */
export function highestValue(m: number, limit: number): number {
  return Math.min(limit, Math.floor((MASTER_LIMIT - 1 - m) / WEIGHT_ONE));
}

/**
 * Clips a member's update to what the run admits: first each coordinate (run's bound, update grid, and the master range for the member's
 * own model), then the L2 norm, which only shrinks and so keeps the first.
 *
 * The norm is float64 here; `prepareUpdate` checks the rounded result with integers.
 *
 * @param values grid units of each tensor (2^-F), finite.
 * @param master the head's master model.
 */
export function clip(values: Float64Array, master: Float64Array, layout: ModelLayout, bounds: UpdateBounds): Clipped {
  const limit = coordinateLimit(bounds);
  const out = new Float64Array(values.length);
  let coordinates = 0;
  let sumOfSquares = 0;
  for (const tensor of layout.tensors) {
    const unit = powerOfTwo(layout.maxFractionBits - tensor.fractionBits);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const m = master[j] as number;
      const value = values[j] as number;
      const lower = lowestValue(m, limit);
      const upper = highestValue(m, limit);
      const clipped = value < lower ? lower : value > upper ? upper : value;
      if (clipped !== value) coordinates++;
      out[j] = clipped;
      sumOfSquares += clipped * unit * (clipped * unit);
    }
  }
  const maxNormSq = Number(bounds.maxNormSq);
  if (sumOfSquares <= maxNormSq) return { values: out, coordinates, factor: 1 };
  const factor = Math.sqrt(maxNormSq / sumOfSquares);
  for (let j = 0; j < out.length; j++) out[j] = (out[j] as number) * factor;
  return { values: out, coordinates, factor };
}
