// SPDX-License-Identifier: Apache-2.0
import type { Model } from "../../../learning/model.ts";
import type { Random } from "../../../protocol/random.ts";
import { adam } from "../adam.ts";
import { meanGradient } from "../batches.ts";
import { softmaxRows } from "../predictors.ts";
import type { FloatVector } from "../strategy.ts";
import { dot, moved } from "../vectors.ts";
import { NO_LENGTH } from "./flag.ts";

/** A member's tiny synthetic set, kept from round to round: what its updates are reconstructed from. */
export interface DistilledSet {
  /** (C·perClass) × inputs. */
  readonly features: Float32Array;
  /** (C·perClass) × C; the soft labels are its softmax. */
  readonly labelLogits: Float32Array;
}

export interface ReconstructionOptions {
  readonly iterations: number;
  /** Reconstruction ends below this error. */
  readonly stopBelow: number;
  /** Adam's learning rates. */
  readonly featureRate: number;
  readonly labelRate: number;
  /** Length of the step in parameter space that differences are taken over. */
  readonly epsilon: number;
}

export interface Reconstruction {
  readonly set: DistilledSet;
  /** RE of the returned set; NaN for an update that is not finite. */
  readonly error: number;
  readonly iterations: number;
}

/** How sure a fresh synthetic sample's label is: softmax gives its class e^4 times the others' share. */
const LABEL_LOGIT = 4;

/** Standard normal features, `perClass` samples of each class. */
export function freshDistilledSet(model: Model, perClass: number, random: Random): DistilledSet {
  const { inputs, classes } = model.config;
  const size = classes * perClass;
  const stream = random.derive("distilled set");
  const labelLogits = new Float32Array(size * classes);
  for (let b = 0; b < size; b++) labelLogits[b * classes + (b % classes)] = LABEL_LOGIT;
  return { features: Float32Array.from({ length: size * inputs }, () => stream.normal()), labelLogits };
}

/**
 * FedREDefense (Xie et al. 2024) with one unrolled step and first derivatives alone: can −η̃·∇_θL(w^t; X̃, ỹ) with a step size η̃ ≥ 0 be made equal to
 * Δ? With g = ∇_θL and s the cosine of Δ and −g, the best step size leaves
 *
 *     RE = min_{η̃ ≥ 0} ‖Δ + η̃·g‖² / ‖Δ‖² = 1 − max(0, s)².
 *
 * A negative step size would reconstruct a negated update by unlearning, and is therefore left out; where it would be best, s tells the way. With
 * the residual r = Δ − ⟨Δ, g⟩g/‖g‖², r̂ = r/‖r‖,
 *
 *     ∂s/∂X̃ = −‖r‖/(‖Δ‖‖g‖) · [∇_X̃L(w^t + εr̂) − ∇_X̃L(w^t − εr̂)]/2ε     and the same for ỹ,
 *
 * followed by Adam on features and label logits. (Plain descent at the paper's rates, made for five unrolled steps, leaves RE near 1 for a hundred
 * iterations.) The paper differentiates through five steps; this sees less of a long local training, so honest members' errors are higher.
 *
 * The set with the lowest error seen is returned, so that errors of one update never rise.
 */
export async function reconstruct(
  model: Model,
  parameters: Float32Array,
  delta: FloatVector,
  start: DistilledSet,
  options: ReconstructionOptions,
): Promise<Reconstruction> {
  const squared = dot(delta, delta);
  if (!Number.isFinite(squared)) return { set: start, error: Number.NaN, iterations: 0 };
  if (Math.sqrt(squared) < NO_LENGTH) return { set: start, error: 1, iterations: 0 };
  const { classes } = model.config;
  const features = Float64Array.from(start.features);
  const labels = Float64Array.from(start.labelLogits);
  const optimisers = { features: adam(features.length), labels: adam(labels.length) };
  let best: Reconstruction = { set: start, error: Infinity, iterations: 0 };
  for (let iteration = 0; ; iteration++) {
    const set = { features: Float32Array.from(features), labelLogits: Float32Array.from(labels) };
    const targets = softmaxRows(labels, classes);
    const { gradient } = await meanGradient(model, parameters, set.features, Float32Array.from(targets));
    const [length, along] = [dot(gradient, gradient), dot(delta, gradient)];
    const alignment = length > 0 ? -along / Math.sqrt(length * squared) : 0;
    const error = 1 - Math.max(0, alignment) * Math.max(0, alignment);
    if (error < best.error) best = { set, error, iterations: iteration };
    const residual = Float64Array.from(delta, (value, j) => value - (along / length) * (gradient[j] as number));
    const rest = Math.sqrt(dot(residual, residual));
    if (error < options.stopBelow || iteration === options.iterations || length === 0 || rest === 0)
      return { ...best, iterations: iteration };

    const slope = await slopeAlong(model, parameters, residual, rest, set, targets, options.epsilon);
    const scale = rest / Math.sqrt(squared * length);
    const scaled = (values: Float64Array): Float64Array => values.map((value) => scale * value);
    optimisers.features.step(features, scaled(slope.features), options.featureRate);
    optimisers.labels.step(labels, scaled(slope.labels), options.labelRate);
  }
}

/** d/dε at 0 of ∇_X̃L and ∇_uL at w + εr̂ (u the label logits), by central differences. */
async function slopeAlong(
  model: Model,
  parameters: Float32Array,
  residual: Float64Array,
  rest: number,
  set: DistilledSet,
  targets: Float64Array,
  epsilon: number,
): Promise<{ readonly features: Float64Array; readonly labels: Float64Array }> {
  const { classes } = model.config;
  const soft = Float32Array.from(targets);
  const at = async (sign: number) => {
    const shifted = moved(
      parameters,
      residual.map((value) => (sign * epsilon * value) / rest),
    );
    const { logits, inputGradient } = await meanGradient(model, shifted, set.features, soft, true);
    return { inputGradient: inputGradient as Float32Array, logits };
  };
  const [ahead, behind] = [await at(1), await at(-1)];
  const features = Float64Array.from(
    ahead.inputGradient,
    (value, j) => (value - (behind.inputGradient[j] as number)) / (2 * epsilon),
  );
  // L = −(1/n) Σ ỹ_c ln p_c, so ∂L/∂u_c = −(1/n) ỹ_c (ln p_c − Σ_k ỹ_k ln p_k), and a shift common to a row's logits cancels out.
  const labels = new Float64Array(targets.length);
  const size = targets.length / classes;
  for (let start = 0; start < targets.length; start += classes) {
    let mean = 0;
    const change = (c: number): number => ((ahead.logits[c] as number) - (behind.logits[c] as number)) / (2 * epsilon);
    for (let c = start; c < start + classes; c++) mean += (targets[c] as number) * change(c);
    for (let c = start; c < start + classes; c++) labels[c] = (-(targets[c] as number) * (change(c) - mean)) / size;
  }
  return { features, labels };
}
