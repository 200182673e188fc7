// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../../learning/errors.ts";
import type { Model } from "../../../learning/model.ts";
import type { Dataset } from "../../../protocol/dataset.ts";
import { meanGradient, oneHot } from "../batches.ts";
import type { FloatVector } from "../strategy.ts";
import { dot } from "../vectors.ts";
import { choleskyFactor, choleskySolve } from "./cholesky.ts";
import { NO_LENGTH } from "./flag.ts";

/** Most numbers in a basis: 2 GiB of float32. */
const LARGEST_BASIS = 536_870_912;

/** What honest updates are combinations of, at one model: gradients at the probes, and the ridge system over them. */
export interface ProbeBasis {
  readonly columns: readonly Float32Array[];
  /** Cholesky factor of BᵀB + ρI. */
  readonly factor: Float64Array;
}

/**
 * The columns ∇_θ ln p_c(x_p) at w^t, for each probe and all classes but the last (Σ_c p_c ∇ ln p_c = 0 makes that one redundant), with a ridge of
 * `ridge` times the mean squared length of a column.
 *
 * @param probes public or unlabelled samples; labels are not read. P·(C−1) gradients are taken.
 * @throws LearningError UNSUPPORTED for a basis that would not fit into memory.
 */
export async function probeBasis(
  model: Model,
  parameters: Float32Array,
  probes: Dataset,
  ridge: number,
): Promise<ProbeBasis> {
  const { inputs, classes } = model.config;
  const width = probes.size * (classes - 1);
  if (width * model.parameterCount > LARGEST_BASIS)
    throw new LearningError(
      "UNSUPPORTED",
      `${width} probe gradients of ${model.parameterCount} parameters do not fit into memory; take fewer probes than ${probes.size}.`,
      { columns: width, parameters: model.parameterCount },
    );
  const columns: Float32Array[] = [];
  for (let p = 0; p < probes.size; p++)
    for (let c = 0; c < classes - 1; c++) {
      const features = probes.features.subarray(p * inputs, (p + 1) * inputs);
      const { gradient } = await meanGradient(model, parameters, features, oneHot([c], classes));
      columns.push(Float32Array.from(gradient));
    }
  const gram = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j <= i; j++) {
      const product = dot(columns[i] as Float32Array, columns[j] as Float32Array);
      gram[i * width + j] = product;
      gram[j * width + i] = product;
    }
  let trace = 0;
  for (let i = 0; i < width; i++) trace += gram[i * width + i] as number;
  // A model without any gradient explains nothing; any positive ridge says so.
  const added = trace > 0 ? (ridge * trace) / width : 1;
  for (let i = 0; i < width; i++) gram[i * width + i] = (gram[i * width + i] as number) + added;
  return { columns, factor: choleskyFactor(gram, width) };
}

/**
 * RE = 1 − ⟨Δ, B(BᵀB + ρI)⁻¹BᵀΔ⟩ / ‖Δ‖² in [0, 1]: the share of an update that no combination of the probes' gradients explains. 1 for an update
 * without length, NaN for one that is not finite.
 */
export function linearReconstructionError({ columns, factor }: ProbeBasis, delta: FloatVector): number {
  const squared = dot(delta, delta);
  if (!Number.isFinite(squared)) return Number.NaN;
  if (Math.sqrt(squared) < NO_LENGTH) return 1;
  const products = Float64Array.from(columns, (column) => dot(column, delta));
  return Math.max(0, 1 - dot(products, choleskySolve(factor, products)) / squared);
}
