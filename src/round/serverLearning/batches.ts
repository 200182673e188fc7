// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../learning/errors.ts";
import { EVALUATION, type Model } from "../../learning/model.ts";
import type { Random } from "../../protocol/random.ts";

/** Batches for server-side training. Gradients are taken in evaluation mode: a server's small training has no dropout. */

/** Samples of one call on engines without a fixed batch. */
const CHUNK = 256;

/** Rows `indices` of a row-major matrix. */
export function rows(matrix: Float32Array, width: number, indices: readonly number[]): Float32Array {
  const taken = new Float32Array(indices.length * width);
  for (const [b, index] of indices.entries()) taken.set(matrix.subarray(index * width, (index + 1) * width), b * width);
  return taken;
}

/** Sample numbers without end: pass after pass over 0 … size−1, each pass in its own keyed order. */
export function* shuffledPasses(size: number, random: Random): Generator<number, never> {
  for (let pass = 0; ; pass++) yield* random.derive("pass", pass).permutation(size);
}

export function take(indices: Generator<number, never>, count: number): number[] {
  return Array.from({ length: count }, () => indices.next().value);
}

export interface MeanGradient {
  /** Mean cross-entropy with the targets, in nats. */
  readonly loss: number;
  readonly gradient: Float64Array;
  /** size × classes. */
  readonly logits: Float32Array;
  /** size × inputs, of the mean loss; when asked for. */
  readonly inputGradient: Float32Array | undefined;
}

/**
 * Value and gradient of the mean loss over any number of samples, in chunks that the engine takes.
 *
 * @param targets size × classes.
 * @throws LearningError DIVERGED for a loss that is not finite.
 */
export async function meanGradient(
  model: Model,
  parameters: Float32Array,
  features: Float32Array,
  targets: Float32Array,
  wantInputs = false,
): Promise<MeanGradient> {
  const { inputs, classes } = model.config;
  const size = targets.length / classes;
  const chunk = model.batchSize ?? CHUNK;
  let loss = 0;
  const gradient = new Float64Array(model.parameterCount);
  const logits = new Float32Array(targets.length);
  const inputGradient = wantInputs ? new Float32Array(features.length) : undefined;
  for (let first = 0; first < size; first += chunk) {
    const count = Math.min(chunk, size - first);
    const batch = { features: features.subarray(first * inputs, (first + count) * inputs), size: count };
    const softTargets = targets.subarray(first * classes, (first + count) * classes);
    const part = await model.valueAndGradient(parameters, batch, { softTargets, wantInputs }, EVALUATION);
    const share = count / size;
    loss += share * part.loss;
    for (let j = 0; j < gradient.length; j++)
      gradient[j] = (gradient[j] as number) + share * (part.gradient[j] as number);
    logits.set(part.logits, first * classes);
    inputGradient?.set(part.inputGradient?.map((value) => value * share) ?? [], first * inputs);
  }
  if (!Number.isFinite(loss))
    throw new LearningError("DIVERGED", `A server-side training step has loss ${loss}. Lower its learning rate.`, {
      loss,
    });
  return { loss, gradient, logits, inputGradient };
}

/** One-hot rows of class labels. */
export function oneHot(labels: ArrayLike<number>, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes);
  for (let b = 0; b < labels.length; b++) targets[b * classes + (labels[b] as number)] = 1;
  return targets;
}
