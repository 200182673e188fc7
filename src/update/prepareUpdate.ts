// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import { squaredNorm } from "../protocol/exactNorm.ts";
import { powerOfTwo } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { clip, type UpdateBounds } from "./clip.ts";
import { decodePayload, encodePayload } from "./payload.ts";

export interface UpdateInput {
  /** Local model minus received model, model units, one per coordinate. */
  readonly delta: Float32Array;
  /** e, what earlier kept updates left unsaid, grid units; zeros for a new member. */
  readonly residual: Float64Array;
  /** The head's master model, from which the member trained. */
  readonly master: Float64Array;
  readonly layout: ModelLayout;
  readonly codec: CodecConfig;
  readonly bounds: UpdateBounds;
}

export interface PreparedUpdate {
  /** Bytes for the artifact. */
  readonly payload: Uint8Array;
  /** q as every reader decodes it. */
  readonly decoded: Int32Array;
  /** e' = clip(Δ + e) − q, grid units. The node adopts it only once the update was kept in a finalised round; otherwise e stays. */
  readonly nextResidual: Float64Array;
  /** Coordinates cut to a bound of their own. */
  readonly clippedCoordinates: number;
  /** Factor of the L2 clip; 1 when the norm was within its bound. */
  readonly clipFactor: number;
}

/** What is cut off per attempt in the (practically unreachable) case that float64 put the clipped norm above the bound. */
const SHRINK = 1 - 2 ** -20;

/** The residual of a member that has said everything. */
export function emptyResidual(layout: ModelLayout): Float64Array {
  return new Float64Array(layout.size);
}

/**
 * Model delta to payload: p = Δ + e on the grid, clip, round toward zero, encode, and keep the difference as error feedback.
 *
 * Clipping comes after e is added, or the residual would lift what leaves the node above the bound. Every step after it only moves
 * coordinates toward 0, and the norm of the decoded integers is checked exactly, so an honest member is never refused for a bound.
 *
 * @throws FoedusError DIVERGED when training gave NaN or infinity: lower the learning rate or skip the round.
 * Source: error feedback as corrected in Stich & Karimireddy 2019 (the residual is p − C(p), not Δ − C(p)).
 */
export function prepareUpdate({ delta, residual, master, layout, codec, bounds }: UpdateInput): PreparedUpdate {
  const wanted = onGrid(delta, residual, layout);
  const { values, coordinates, factor } = clip(wanted, master, layout, bounds);
  for (let clipFactor = factor; ; clipFactor *= SHRINK) {
    // trunc through Int32Array: toward zero, and |q| < 2^24 after clipping.
    const payload = encodePayload(Int32Array.from(values), codec);
    const { values: decoded } = decodePayload(payload, codec, layout.size);
    if (squaredNorm(decoded, layout) <= bounds.maxNormSq) {
      const nextResidual = values.map((value, j) => value - (decoded[j] as number));
      return { payload, decoded, nextResidual, clippedCoordinates: coordinates, clipFactor };
    }
    for (let j = 0; j < values.length; j++) values[j] = (values[j] as number) * SHRINK;
  }
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
