// SPDX-License-Identifier: Apache-2.0
import { sumOfSquares } from "../protocol/exactNorm.ts";
import { MASTER_LIMIT, MASTER_MIN, WEIGHT_ONE } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { CodecConfig } from "../protocol/recipe/codecConfig.ts";
import { refuse, type UpdateRefusal } from "../protocol/refusals.ts";
import { lowerBound } from "../protocol/updateChunk.ts";
import type { OffGridValue } from "./blocks.ts";
import type { UpdateBounds } from "./clip.ts";
import { countOf, formOf } from "./codecs.ts";
import { Inflation } from "./inflation.ts";
import { LowRankDecoder } from "./lowRank.ts";
import { decodeListed, decodeValues, maskOf, requireContentSize, valuesLength } from "./payload.ts";
import type { PayloadPlace } from "./payloadSource.ts";
import type { RoundPlace } from "./roundMask.ts";
import { FrameWalk } from "./zstdFrame.ts";

/** What values are judged by. */
export interface ValueContext {
  readonly layout: ModelLayout;
  readonly codec: CodecConfig;
  /** Run and round, which the mask of some codecs follows from. */
  readonly place?: RoundPlace | undefined;
  readonly bounds: UpdateBounds;
  /** The head's master model. */
  readonly master: Float64Array;
}

/** A payload in canonical form. */
export interface CheckedPayload {
  readonly place: PayloadPlace;
  /** OFF_GRID, GRID_OVERFLOW, COORDINATE_BOUND or NORM_BOUND, the first of them that holds. */
  readonly refusal: UpdateRefusal | undefined;
}

/** Values decoded at a time. */
const CHECKED_AT_ONCE = 65_536;

/**
 * Reads a payload twice: the frame is walked and its content size compared with what layout and codec allow before anything is inflated; then the
 * values are decoded and judged chunk by chunk.
 *
 * @param frame the payload's bytes, in order, anew for each call.
 * @throws DecodeError when the payload is not canonical.
 */
export async function checkPayload(
  frame: () => AsyncIterable<Uint8Array>,
  context: ValueContext,
): Promise<CheckedPayload> {
  const { codec, layout, place } = context;
  const walk = new FrameWalk();
  for await (const piece of frame()) walk.take(piece);
  const contentBytes = walk.end();
  requireContentSize(contentBytes, codec, layout);
  const content = new Inflation(frame(), contentBytes);
  try {
    const { refusal, valuesAt } = await checkContent(content, contentBytes, context);
    return { place: { frame, contentBytes, codec, layout, valuesAt, round: place }, refusal };
  } finally {
    await content.close();
  }
}

async function checkContent(
  content: Inflation,
  contentBytes: number,
  context: ValueContext,
): Promise<{ refusal: UpdateRefusal | undefined; valuesAt: number }> {
  const { codec, layout } = context;
  const form = formOf(codec);
  const judge = new ValueJudge(context);
  const { values: valueForm } = form;
  if (valueForm.kind === "lowRank") {
    const decoder = new LowRankDecoder(layout, valueForm.rank);
    for (let wants = decoder.wants; wants > 0; wants = decoder.wants) {
      const bytes = new Uint8Array(wants);
      await content.fill(bytes);
      const part = decoder.take(bytes);
      if (part !== undefined) judge.add(part.values, part.first, part.offGrid);
    }
    await content.end();
    return { refusal: judge.refusal(), valuesAt: 0 };
  }
  if (form.support.kind === "listed") {
    const bytes = new Uint8Array(contentBytes);
    await content.fill(bytes);
    await content.end();
    const { coordinates, kept, offGrid, valuesAt } = decodeListed(bytes, valueForm, form.support.keep, layout.size);
    judge.add(kept, coordinates, offGrid);
    return { refusal: judge.refusal(), valuesAt };
  }
  const mask = form.support.kind === "mask" ? maskOf(form, layout.size, context.place) : undefined;
  const all = countOf(form, layout.size);
  const blockSize = valueForm.kind === "blocks" ? valueForm.blockSize : 1;
  const step = Math.min(all, blockSize * Math.max(1, Math.floor(CHECKED_AT_ONCE / blockSize)));
  // For all steps: what is allocated for each would cost more time to collect than to fill.
  const memory = new Uint8Array(valuesLength(step, valueForm));
  const decoded = new Int32Array(step);
  for (let first = 0; first < all; first += step) {
    const values = decoded.subarray(0, Math.min(step, all - first));
    const bytes = memory.subarray(0, valuesLength(values.length, valueForm));
    await content.fill(bytes);
    const offGrid = decodeValues(bytes, valueForm, values, first);
    if (mask === undefined) judge.add(values, first, offGrid);
    else {
      const at = offGrid && { index: mask[offGrid.index] as number, value: offGrid.value };
      judge.add(values, mask.subarray(first, first + values.length), at);
    }
  }
  await content.end();
  return { refusal: judge.refusal(), valuesAt: 0 };
}

/** Judges an update's values as they come, in ascending order of coordinates; coordinates that are left out are 0. */
class ValueJudge {
  readonly #context: ValueContext;
  #offGrid: OffGridValue | undefined;
  #overflow: OffGridValue | undefined;
  #tooLarge: OffGridValue | undefined;
  #normSq = 0n;

  constructor(context: ValueContext) {
    this.#context = context;
  }

  /** @param coordinates of the values, ascending; or the first one, where the others follow. */
  add(values: Int32Array, coordinates: Uint32Array | number, offGrid: OffGridValue | undefined): void {
    const { layout, bounds, master } = this.#context;
    const consecutive = typeof coordinates === "number";
    const coordinateOf = (i: number): number => (consecutive ? coordinates + i : (coordinates[i] as number));
    this.#offGrid ??= offGrid;

    if (this.#overflow === undefined) {
      const i = consecutive
        ? findOverflow(values, master.subarray(coordinates))
        : findOverflow(
            values,
            Float64Array.from(coordinates, (j) => master[j] as number),
          );
      if (i !== -1) this.#overflow = { index: coordinateOf(i), value: values[i] as number };
    }
    if (this.#tooLarge === undefined) {
      const i = findLarger(values, bounds.maxCoordinate);
      if (i !== -1) this.#tooLarge = { index: coordinateOf(i), value: values[i] as number };
    }
    const positionOf = (coordinate: number): number =>
      consecutive
        ? Math.max(0, Math.min(values.length, coordinate - coordinates))
        : lowerBound(coordinates, coordinate);
    for (const { offset, size, fractionBits } of layout.tensors) {
      const from = positionOf(offset);
      const to = positionOf(offset + size);
      if (from < to)
        this.#normSq += sumOfSquares(values, from, to) << BigInt(2 * (layout.maxFractionBits - fractionBits));
    }
  }

  /** Of all values; the checks in their order, each for the lowest coordinate that fails it. */
  refusal(): UpdateRefusal | undefined {
    const { bounds, master } = this.#context;
    if (this.#offGrid !== undefined)
      return refuse("OFF_GRID", { coordinate: this.#offGrid.index, value: this.#offGrid.value });
    if (this.#overflow !== undefined) {
      const { index, value } = this.#overflow;
      return refuse("GRID_OVERFLOW", { coordinate: index, value, master: master[index] });
    }
    if (this.#tooLarge !== undefined) {
      const { index, value } = this.#tooLarge;
      return refuse("COORDINATE_BOUND", { coordinate: index, value, bound: bounds.maxCoordinate });
    }
    if (this.#normSq > bounds.maxNormSq) return refuse("NORM_BOUND", { normSq: this.#normSq, bound: bounds.maxNormSq });
    return undefined;
  }
}

/** Where the member's own model would leave the master range first; −1: nowhere. */
function findOverflow(values: Int32Array, master: Float64Array): number {
  for (let i = 0; i < values.length; i++) {
    const m = (master[i] as number) + WEIGHT_ONE * (values[i] as number);
    if (m < MASTER_MIN || m >= MASTER_LIMIT) return i;
  }
  return -1;
}

function findLarger(values: Int32Array, bound: number): number {
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i] as number) > bound) return i;
  return -1;
}
