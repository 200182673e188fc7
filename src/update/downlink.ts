// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "../protocol/errors.ts";
import { GridError, isMasterValue, UPDATE_LIMIT, WEIGHT_ONE } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { Random } from "../protocol/random.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { isStochastic, keepsResidual } from "./codecs.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import type { RoundPlace } from "./roundMask.ts";

/** How a run's downlink is coded. */
export interface DownlinkCodec {
  readonly layout: ModelLayout;
  readonly codec: CodecConfig;
  /** Run and round; codecs with a mask need it. */
  readonly place?: RoundPlace | undefined;
}

export interface DownlinkInput extends DownlinkCodec {
  /** η_g·Δ̄: what the round's aggregate would move the model by; integers on the master grid, 2^-(F+16). */
  readonly movement: Float64Array;
  /** E, what earlier downlinks left unsaid, on the master grid; zeros in the first round. */
  readonly residual: Float64Array;
  /** For codecs that round stochastically: a public stream, so that everybody who repeats the round has the same bytes. */
  readonly random?: Random | undefined;
}

export interface Downlink {
  /** What is sent to every replica. */
  readonly payload: Uint8Array;
  /** v: what every replica, the server's own included, moves by; integers on the master grid. */
  readonly moved: Float64Array;
  /** E' = movement + E − v, exact. Zeros where the codec is unbiased. */
  readonly residual: Float64Array;
}

/**
 * The server's half of error-compensated double compression: P = η_gΔ̄ + E, v = C(P), E' = P − v, and everybody applies v. The codec works on the
 * update grid, 2^-F, so the 16 bits below it wait in E like everything else; so does what lies beyond |q| < 2^24.
 *
 * @throws ConfigError when the codec needs `place` or `random` and has none.
 * Source: Gao, Xu & Huang, AAAI 2021.
 */
export function compressDownlink({ movement, residual, layout, codec, place, random }: DownlinkInput): Downlink {
  if (movement.length !== layout.size || residual.length !== layout.size)
    throw new DecodeError(
      `A movement of ${movement.length} and a residual of ${residual.length} do not fit ${layout.size} coordinates.`,
    );
  const wanted = movement.map((value, j) => value + (residual[j] as number));
  const onUpdateGrid = wanted.map((value) =>
    Math.min(Math.max(value / WEIGHT_ONE, 1 - UPDATE_LIMIT), UPDATE_LIMIT - 1),
  );
  const dice = random && { random, fits: (_: number, value: number): boolean => Math.abs(value) < UPDATE_LIMIT };
  const input = isStochastic(codec) ? onUpdateGrid : Int32Array.from(onUpdateGrid);
  let payload = encodePayload(input, codec, { place, dice, layout });
  // The best product of its rank may be larger than what it stands for: half of it then, and the rest waits.
  const isOffGrid = (): boolean => decodePayload(payload, codec, layout, place).offGrid !== undefined;
  for (let share = 0.5; codec.name === "low-rank" && isOffGrid(); share /= 2)
    payload = encodePayload(new Int32Array(onUpdateGrid.map((q) => q * share)), codec, { place, layout });
  const moved = movementOf(payload, { layout, codec, place });
  const left = keepsResidual(codec)
    ? wanted.map((value, j) => value - (moved[j] as number))
    : new Float64Array(layout.size);
  return { payload, moved, residual: left };
}

/**
 * What a payload moves the model by, on the master grid.
 *
 * @throws DecodeError when the payload is not canonical, or a value lies off the update grid.
 */
export function movementOf(payload: Uint8Array, { layout, codec, place }: DownlinkCodec): Float64Array {
  const { values, offGrid } = decodePayload(payload, codec, layout, place);
  if (offGrid !== undefined)
    throw new DecodeError(
      `The downlink moves coordinate ${offGrid.index} by ${offGrid.value} units, which is off the grid.`,
    );
  return Float64Array.from(values, (q) => WEIGHT_ONE * q);
}

/**
 * A replica's next model: w + v. Replicas that began alike and applied the same payloads in the same order are alike, bit for bit.
 *
 * @throws DecodeError as `movementOf`. GridError when the model would leave the master range.
 */
export function applyDownlink(master: Float64Array, payload: Uint8Array, downlink: DownlinkCodec): Float64Array {
  const moved = movementOf(payload, downlink);
  return master.map((m, j) => {
    const next = m + (moved[j] as number);
    if (!isMasterValue(next))
      throw new GridError(`The downlink would move coordinate ${j} to ${next}, which is off the master grid.`, {
        coordinate: j,
        value: next,
      });
    return next;
  });
}

/** A downlink as it was sent, and the round whose movement it is; codecs with a mask need that to be read. */
export interface SentDownlink {
  readonly round: number;
  readonly payload: Uint8Array;
}

/** The last downlinks of a server: what a replica that was away needs to catch up. Never changed in place. */
export interface DownlinkHistory {
  /** The version before the first kept downlink: replicas of it and of later ones can catch up. 0 is the initial model. */
  readonly from: number;
  /** In ascending rounds; a round that moved nothing has none. */
  readonly kept: readonly SentDownlink[];
}

export const NO_DOWNLINKS: DownlinkHistory = { from: 0, kept: [] };

/** With one more downlink, of which the last `length` (H) are kept. */
export function withDownlink({ from, kept }: DownlinkHistory, sent: SentDownlink, length: number): DownlinkHistory {
  const all = [...kept, sent];
  const gone = all.slice(0, Math.max(0, all.length - length));
  return { from: gone.at(-1)?.round ?? from, kept: all.slice(gone.length) };
}

/** The version of a replica that has applied everything: the round of the last downlink, 0 where there was none. */
export function headVersion({ from, kept }: DownlinkHistory): number {
  return kept.at(-1)?.round ?? from;
}

/**
 * What to send to a replica: the downlinks it lacks, in their order; or undefined, the whole model, where one of them is gone or they are together
 * longer than that.
 *
 * @param version round of the last downlink that the replica has applied; 0 for one with the initial model, undefined for one without a model.
 * @param modelBytes of the whole model.
 */
export function missedDownlinks(
  { from, kept }: DownlinkHistory,
  version: number | undefined,
  modelBytes: number,
): readonly SentDownlink[] | undefined {
  if (version === undefined || version < from) return undefined;
  const missed = kept.filter(({ round }) => round > version);
  return missed.reduce((sum, { payload }) => sum + payload.length, 0) > modelBytes ? undefined : missed;
}
