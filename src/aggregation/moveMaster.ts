// SPDX-License-Identifier: Apache-2.0
import { isMasterValue, MASTER_LIMIT, MASTER_MIN } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import { AggregationError } from "./aggregationError.ts";

/**
 * master + increment, coordinate by coordinate. No clamp: verified updates and weights of at most 1 in sum cannot leave the range, so a
 * coordinate that does is a fault somewhere before.
 *
 * @param offset coordinate of the first value; for the message alone.
 * @param moved for the result; new memory for every span would cost more than the sums (measured: page faults).
 * @throws AggregationError GRID_OVERFLOW
 */
export function moveMaster(
  master: Float64Array,
  increment: Float64Array,
  offset: number,
  layout: ModelLayout,
  moved: Float64Array = new Float64Array(master.length),
): Float64Array {
  // Judged together: a branch for each takes four times as long. NaN stays in all three, ∞ becomes it in `fractions`.
  let lowest = 0;
  let highest = 0;
  let fractions = 0;
  for (let j = 0; j < moved.length; j++) {
    const next = (master[j] as number) + (increment[j] as number);
    lowest = Math.min(lowest, next);
    highest = Math.max(highest, next);
    fractions += next - Math.floor(next);
    moved[j] = next;
  }
  // −0 is the sum of two of them alone, and neither masters nor increments hold any.
  if (!(lowest >= MASTER_MIN && highest < MASTER_LIMIT && fractions === 0)) {
    const j = moved.findIndex((next) => !isMasterValue(next));
    throw overflow(offset + j, master[j] as number, increment[j] as number, layout);
  }
  return moved;
}

function overflow(coordinate: number, master: number, increment: number, layout: ModelLayout): AggregationError {
  const tensor = layout.tensors.find(({ offset, size }) => coordinate < offset + size);
  return new AggregationError(
    "GRID_OVERFLOW",
    `Coordinate ${coordinate} (${tensor?.name}) would become ${master + increment}, outside the master range.`,
    { coordinate, master, increment },
  );
}
