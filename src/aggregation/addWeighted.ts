// SPDX-License-Identifier: Apache-2.0
import type { ModelLayout } from "../protocol/layout.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import { eachSpan } from "./eachSpan.ts";
import { moveMaster } from "./moveMaster.ts";
import { referenceKernels } from "./reference/referenceKernels.ts";
import { spanLimit, spansOf } from "./spans.ts";

const MEMORY_BYTES = 256 * 1_048_576;

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
  const moved = master.slice();
  if (updates.length === 0) return moved;
  const columns = Array.from({ length: layout.groups }, (_, group) =>
    Uint32Array.from(updates, (_, k) => weights[k * layout.groups + group] as number),
  );
  const spans = spansOf(layout, spanLimit(updates, MEMORY_BYTES));
  await eachSpan(updates, spans, kernels, async ({ offset, size, group }, chunks) => {
    const increment = await kernels.weightedSum(chunks, columns[group] as Uint32Array);
    moveMaster(
      master.subarray(offset, offset + size),
      increment,
      offset,
      layout,
      moved.subarray(offset, offset + size),
    );
  });
  return moved;
}
