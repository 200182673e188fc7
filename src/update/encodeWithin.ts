// SPDX-License-Identifier: Apache-2.0
import { squaredNorm } from "../protocol/exactNorm.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { Random } from "../protocol/random.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { coordinateLimit, highestValue, lowestValue, type UpdateBounds } from "./clip.ts";
import { formOf, isStochastic } from "./codecs.ts";
import type { Dice } from "./levels.ts";
import { decodePayload, encodePayload, maskOf } from "./payload.ts";
import type { RoundPlace } from "./roundMask.ts";

/** What an update is encoded for. */
export interface EncodeTarget {
  /** The head's master model, from which the member trained. */
  readonly master: Float64Array;
  readonly layout: ModelLayout;
  readonly codec: CodecConfig;
  readonly bounds: UpdateBounds;
  /** Run and round; codecs with a mask need it. */
  readonly place?: RoundPlace | undefined;
  /** The update's stream for codecs that round stochastically; any other name than of earlier updates. */
  readonly random?: Random | undefined;
}

export interface EncodedUpdate {
  /** Bytes for the artifact. */
  readonly payload: Uint8Array;
  /** q as every reader decodes it. */
  readonly decoded: Int32Array;
  /** Coordinates that the payload says something about, ascending; undefined: all. */
  readonly support: Uint32Array | undefined;
  /** What the values were multiplied by, in place, until the decoded norm kept its bound; nearly always 1. */
  readonly factor: number;
}

/** What is cut off beside the excess in the first attempt that needs it; twice as much in each that follows. */
const MARGIN = 2 ** -20;
/** Below it an update of factors is not worth halving again. */
const SMALLEST_SHARE = 2 ** -20;

/**
 * Encodes values that are clipped already, and holds what a reader decodes against the norm bound with exact integers. Rounding toward zero only
 * shrinks, so it is float64 that has to be mistrusted; stochastic rounding may add to the norm, which is then taken off again (and with it the
 * claim of being unbiased: a bound is a bound).
 *
 * @param values grid units, within every coordinate's bounds; scaled in place if need be.
 */
export function encodeWithin(values: Float64Array, target: EncodeTarget): EncodedUpdate {
  const { codec, layout, bounds, place } = target;
  let factor = 1;
  let share = 1;
  for (let attempt = 0; ; attempt++) {
    const dice = diceOf(target, attempt);
    // Conversion truncates, toward zero, and is many times faster than Int32Array.from.
    const input = isStochastic(codec) ? values : new Int32Array(share === 1 ? values : values.map((q) => q * share));
    const payload = encodePayload(input, codec, { place, dice, layout });
    const { values: decoded, support, offGrid } = decodePayload(payload, codec, layout, place);
    if (formOf(codec).values.kind === "lowRank" && (offGrid !== undefined || !isWithin(decoded, target))) {
      // The best product of its rank is larger than the update somewhere. Half of it, and the other half waits with the rest.
      share = share < SMALLEST_SHARE ? 0 : share / 2;
      continue;
    }
    const normSq = squaredNorm(decoded, layout);
    if (normSq <= bounds.maxNormSq) return { payload, decoded, support, factor };
    const shrink = Math.sqrt(Number(bounds.maxNormSq) / Number(normSq)) * (1 - MARGIN * 2 ** Math.min(attempt, 19));
    factor *= shrink;
    for (let j = 0; j < values.length; j++) values[j] = (values[j] as number) * shrink;
  }
}

/** Whether every coordinate is within its bounds. */
function isWithin(decoded: Int32Array, { master, bounds }: EncodeTarget): boolean {
  const limit = coordinateLimit(bounds);
  return decoded.every((q, j) => {
    const m = master[j] as number;
    return q >= lowestValue(m, limit) && q <= highestValue(m, limit);
  });
}

/** For a codec that is to be right on average over masks: d/k times the masked values. Before the clip, which holds for what leaves the node. */
export function unbiased(values: Float64Array, { codec, layout, place }: EncodeTarget): Float64Array {
  if (!("unbiased" in codec && codec.unbiased)) return values;
  const out = new Float64Array(values.length);
  const scale = values.length / codec.keep;
  for (const j of maskOf(formOf(codec), layout.size, place)) out[j] = (values[j] as number) * scale;
  return out;
}

function diceOf({ random, master, bounds }: EncodeTarget, attempt: number): Dice | undefined {
  if (random === undefined) return undefined;
  const limit = coordinateLimit(bounds);
  return {
    random: random.derive("rounding", attempt),
    fits: (j, value) => {
      const m = master[j] as number;
      return value >= lowestValue(m, limit) && value <= highestValue(m, limit);
    },
  };
}
