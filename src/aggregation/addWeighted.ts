// SPDX-License-Identifier: Apache-2.0
import { isMasterValue } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import { AggregationError } from "./aggregationError.ts";
import type { WideKernels } from "./kernels/kernels.ts";
import { referenceKernels } from "./kernels/reference.ts";

/**
 * The master model moved by Σ λ_k q_k, exact: what a coalition's updates alone would have made of it.
 *
 * @param master the head's master model; not changed.
 * @param updates ascending memberId.
 * @param weights λ, K × G, row by row; each column sums to at most 2^16.
 */
export async function addWeighted(
  master: Float64Array,
  updates: readonly VerifiedUpdate[],
  weights: Uint32Array,
  layout: ModelLayout,
  kernels: WideKernels = referenceKernels,
): Promise<Float64Array> {
  const values = updates.map((update) => update.values);
  return moved(master, await kernels.weightedSum(values, weights, layout), layout);
}

/**
 * master + increment, coordinate by coordinate. No clamp: verified updates and weights of at most 1 in sum cannot leave the range, so a
 * coordinate that does is a fault somewhere before.
 *
 * @throws AggregationError GRID_OVERFLOW
 */
export function moved(master: Float64Array, increment: Float64Array, layout: ModelLayout): Float64Array {
  return master.map((m, j) => {
    const next = m + (increment[j] as number);
    if (isMasterValue(next)) return next;
    const tensor = layout.tensors.find(({ offset, size }) => j < offset + size);
    throw new AggregationError(
      "GRID_OVERFLOW",
      `Coordinate ${j} (${tensor?.name}) would become ${next}, outside the master range.`,
      {
        coordinate: j,
        master: m,
        increment: increment[j],
      },
    );
  });
}
