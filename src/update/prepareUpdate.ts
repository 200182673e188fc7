// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { powerOfTwo } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { NoiseStage } from "../protocol/noiseStage.ts";
import type { Stretch } from "../protocol/stretch.ts";
import { clip } from "./clip.ts";
import { keepsResidual } from "./codecs.ts";
import { type EncodeTarget, encodeWithin, unbiased } from "./encodeWithin.ts";
import type { PreparedUpdate } from "./preparedUpdate.ts";
import { preparePrivately } from "./privatePipelines.ts";
import { emptyResidual, unsaid } from "./residual.ts";

export interface UpdateInput extends EncodeTarget {
  /** Local model minus received model, model units, one per coordinate. */
  readonly delta: Float32Array;
  /** e, what earlier kept updates left unsaid, grid units; zeros for a new member. */
  readonly residual: Float64Array;
  /**
   * What the update says nothing about: sent as 0 whatever delta and e are there, and e waits on. In private runs nothing is silent: noise falls
   * everywhere.
   */
  readonly silent?: readonly Stretch[] | undefined;
  /** Clip and noise of a private run. */
  readonly noise?: NoiseStage | undefined;
}

/**
 * Model delta to payload: p = Δ + e on the grid, clip, round toward zero, encode, and keep the difference as error feedback.
 *
 * Clipping comes after e is added, or the residual would lift what leaves the node above the bound. Every step after it only moves
 * coordinates toward 0, and the norm of the decoded integers is checked exactly, so an honest member is never refused for a bound.
 *
 * @throws FoedusError DIVERGED when training gave NaN or infinity: lower the learning rate or skip the round.
 * @throws ConfigError when codec and privacy do not go together, or the codec needs `place` or `random` and has none.
 * Source: error feedback as corrected in Stich & Karimireddy 2019 (the residual is p − C(p), not Δ − C(p)).
 */
export function prepareUpdate(input: UpdateInput): PreparedUpdate {
  const { delta, residual, master, layout, codec, bounds, noise, silent = [] } = input;
  const wanted = onGrid(delta, residual, layout);
  if (noise !== undefined) return preparePrivately(wanted, input, noise);
  for (const { offset, size } of silent) wanted.fill(0, offset, offset + size);
  const { values, coordinates, factor } = clip(unbiased(wanted, input), master, layout, bounds);
  const encoded = encodeWithin(values, input);
  const { payload, decoded } = encoded;
  const nextResidual = keepsResidual(codec) ? unsaid(values, decoded) : emptyResidual(layout);
  for (const { offset, size } of silent) nextResidual.set(residual.subarray(offset, offset + size), offset);
  return {
    payload,
    decoded,
    nextResidual,
    clippedCoordinates: coordinates,
    clipFactor: factor * encoded.factor,
  };
}

/** Δ + e in grid units of each tensor: the scaling by 2^F is exact, the sum is one float64 rounding. */
function onGrid(delta: Float32Array, residual: Float64Array, layout: ModelLayout): Float64Array {
  if (delta.length !== layout.size || residual.length !== layout.size) {
    throw new FoedusError(
      "WRONG_SIZE",
      `A delta of ${delta.length} and a residual of ${residual.length} coordinates do not fit a layout of ${layout.size}.`,
    );
  }
  const out = new Float64Array(layout.size);
  for (const tensor of layout.tensors) {
    const scale = powerOfTwo(tensor.fractionBits);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const value = (delta[j] as number) * scale + (residual[j] as number);
      if (!Number.isFinite(value)) {
        throw new FoedusError(
          "DIVERGED",
          `Training gave ${delta[j]} for ${tensor.name}[${j - tensor.offset}]; lower the learning rate, or skip this round.`,
          {
            values: { tensor: tensor.name, index: j - tensor.offset },
          },
        );
      }
      out[j] = value;
    }
  }
  return out;
}
