// SPDX-License-Identifier: Apache-2.0
import { AggregationError } from "../../aggregation/aggregationError.ts";
import { MASTER_EXTRA_BITS, powerOfTwo } from "../../protocol/grid.ts";
import type { ModelLayout } from "../../protocol/layout.ts";
import { roundHalfAwayFromZero } from "../../protocol/math.ts";
import type { FloatVector } from "./strategy.ts";

/**
 * The one place where a result of server-side learning becomes a movement of the master model: integers in units 2^-(F+16), rounded half away
 * from zero, never −0. Whether the moved master stays in its range is for `moveMaster` to judge.
 *
 * @throws AggregationError BAD_INPUT for a wrong length; GRID_OVERFLOW for a value that is not finite.
 */
export function movementOnGrid(delta: FloatVector, layout: ModelLayout): Float64Array {
  if (delta.length !== layout.size)
    throw new AggregationError(
      "BAD_INPUT",
      `A movement of ${delta.length} values does not fit a model of ${layout.size}.`,
      {
        length: delta.length,
        size: layout.size,
      },
    );
  const movement = new Float64Array(layout.size);
  for (const tensor of layout.tensors) {
    const unitsPerOne = powerOfTwo(tensor.fractionBits + MASTER_EXTRA_BITS);
    for (let j = tensor.offset; j < tensor.offset + tensor.size; j++) {
      const units = roundHalfAwayFromZero((delta[j] as number) * unitsPerOne);
      if (!Number.isFinite(units))
        throw new AggregationError(
          "GRID_OVERFLOW",
          `The movement of coordinate ${j} (${tensor.name}) is ${delta[j]}.`,
          {
            coordinate: j,
          },
        );
      movement[j] = units;
    }
  }
  return movement;
}
