// SPDX-License-Identifier: Apache-2.0
import { addWeighted } from "../aggregation/addWeighted.ts";
import { eachSpan } from "../aggregation/eachSpan.ts";
import { spanLimit, spansOf } from "../aggregation/spans.ts";
import { inRunShapley } from "../incentives/inRunShapley.ts";
import { type AgreedModel, EVALUATION } from "../learning/model.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { splitMaster, UPDATE_LIMIT } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import { roundHalfAwayFromZero } from "../protocol/math.ts";
import type { VerifiedUpdate } from "../protocol/verifiedUpdate.ts";
import type { WideKernels } from "../protocol/wideKernels.ts";
import type { RunContext } from "./runContext.ts";
import type { Scorer, ScoringInput } from "./scoreUpdates.ts";

const MEMORY_BYTES = 256 * 1_048_576;
/** Most fraction bits of a gradient's grid: what lies below 2^-60 is nothing to a score. */
const FINEST = 60;

/**
 * In-run scores (inRunShapley.ts): the gradient g of the held-out loss at the head, by the agreed engine, and its exact inner products with the
 * updates. Gradients are rounded once, to the finest grid on which the largest coordinate has 24 bits; then everything is integers. For any
 * number of updates, where sampling evaluates a model per coalition.
 *
 * The second order takes the gradient g' at the model that all updates together make, too: HΔ̄ = g' − g, a difference quotient along the very
 * movement, so that Σφ = −½⟨g + g', Δ̄⟩ is the trapezoidal rule for the loss that the round took away.
 *
 * @returns integers in 2^-20 nats, aligned with `updates`; 0 for what is not kept.
 */
export async function inRunScores(
  { layout }: Pick<RunContext, "layout">,
  order: 1 | 2,
  { scorer, kernels, signal }: { scorer: Scorer; kernels: WideKernels; signal?: AbortSignal | undefined },
  { parent, updates, aggregated }: Pick<ScoringInput, "parent" | "updates" | "aggregated">,
): Promise<number[]> {
  const gradientAt = (master: Float64Array): Promise<Float64Array> =>
    heldOutGradient(scorer.model, splitMaster(master, layout).view, scorer.heldOut, signal);
  const gradients = [await gradientAt(parent)];
  if (order === 2) {
    const moved = await gradientAt(await addWeighted(parent, updates, aggregated.weights, layout, kernels));
    gradients.push(moved.map((value, j) => value - (gradients[0]?.[j] as number)));
  }
  const { vectors, bits } = onOneGrid(gradients, layout.size);
  const fractionBits = layout.maxFractionBits + bits;
  const products: bigint[][] = [];
  for (const vector of vectors) {
    const exact = await productsWith(vector, updates, layout, kernels, signal);
    products.push(fractionBits < 0 ? exact.map((product) => product << BigInt(-fractionBits)) : exact);
  }
  const [gradientProducts, curvatureProducts] = products as [bigint[], bigint[]?];
  return inRunShapley({
    weights: aggregated.weights,
    groups: layout.groups,
    gradientProducts,
    ...(curvatureProducts === undefined ? {} : { curvatureProducts }),
    fractionBits: Math.max(0, fractionBits),
  });
}

/** The mean over samples, summed in float64 batch by batch. */
async function heldOutGradient(
  model: AgreedModel,
  state: Float32Array,
  { features, labels, inputs, size }: Dataset,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  // What follows the model in the state is an algorithm's, and the loss does not depend on it.
  const parameters = state.subarray(0, model.parameterCount);
  const sum = new Float64Array(model.parameterCount);
  for (let first = 0; first < size; first += model.batchSize) {
    signal?.throwIfAborted();
    const count = Math.min(model.batchSize, size - first);
    const batch = {
      features: features.subarray(first * inputs, (first + count) * inputs),
      labels: labels.subarray(first, first + count),
      size: count,
    };
    const { gradient } = await model.valueAndGradient(parameters, batch, {}, EVALUATION);
    for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] as number) + count * (gradient[j] as number);
  }
  return sum.map((total) => total / size);
}

/**
 * Vectors as integers |q| < 2^24 in the same units 2^-bits, nearest, half away from zero; 0 for what is not finite, so that a model so extreme has
 * scores all the same, and beyond the model.
 */
function onOneGrid(
  vectors: readonly Float64Array[],
  size: number,
): { readonly vectors: readonly Int32Array[]; readonly bits: number } {
  let largest = 0;
  for (const vector of vectors)
    for (const value of vector) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  let bits = FINEST;
  let scale = Number(1n << BigInt(FINEST));
  while (largest * scale > UPDATE_LIMIT - 1) {
    bits -= 1;
    scale /= 2;
  }
  const rounded = vectors.map((vector) => {
    const values = new Int32Array(size);
    for (const [j, value] of vector.entries())
      values[j] = Number.isFinite(value) ? roundHalfAwayFromZero(value * scale) : 0;
    return values;
  });
  return { vectors: rounded, bits };
}

/** ⟨z, Δ_i⟩ within each tensor group, K × groups, in units 2^-F_max times the unit of z: ½(‖Δ_i‖² + ‖z‖² − ‖Δ_i − z‖²). */
async function productsWith(
  z: Int32Array,
  updates: readonly VerifiedUpdate[],
  layout: ModelLayout,
  kernels: WideKernels,
  signal: AbortSignal | undefined,
): Promise<bigint[]> {
  const products = new Array<bigint>(updates.length * layout.groups).fill(0n);
  const spans = spansOf(layout, spanLimit(updates, MEMORY_BYTES));
  await eachSpan(
    updates,
    spans,
    kernels,
    async ({ offset, size, group, shift }, chunks) => {
      const part = { kind: "dense", values: z.subarray(offset, offset + size) } as const;
      const [ofPart] = await kernels.squaredNorms([part]);
      const norms = await kernels.squaredNorms(chunks);
      const distances = await kernels.squaredDistances(chunks, part);
      for (const [i, norm] of norms.entries()) {
        const twice = norm + (ofPart as bigint) - (distances[i] as bigint);
        const at = i * layout.groups + group;
        products[at] = (products[at] as bigint) + ((twice / 2n) << BigInt(shift));
      }
    },
    signal,
  );
  return products;
}
