// SPDX-License-Identifier: Apache-2.0

/** Every architecture in plain float64: slow, obvious (src/learning/reference), and what every engine is compared with. */

import { exp, logSumExp } from "../protocol/math.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { modelOutputs, parameterLayout } from "./layout.ts";
import { addAt, at, type Cell, ReferenceTape } from "./reference/cell.ts";
import { ReferenceOperations } from "./reference/referenceOperations.ts";

export interface ReferenceResult {
  readonly loss: number;
  readonly logits: Float64Array;
  readonly features: Float64Array;
  readonly gradient: Float64Array;
  readonly inputGradient: Float64Array;
}

export interface ReferenceRequest {
  /** size × classes. */
  readonly targets: ArrayLike<number>;
  readonly logitCotangent?: ArrayLike<number>;
  readonly featureCotangent?: ArrayLike<number>;
  /** Dropout masks by layer, size × width; without one nothing is dropped. */
  readonly masks?: Readonly<Record<string, ArrayLike<number>>>;
}

/** Loss, outputs and all gradients of `GradientResult`. */
export function referenceValueAndGradient(
  config: ModelConfig,
  parameters: ArrayLike<number>,
  inputs: ArrayLike<number>,
  size: number,
  { targets, logitCotangent, featureCotangent, masks = {} }: ReferenceRequest,
): ReferenceResult {
  const tape = new ReferenceTape();
  const flat = Float64Array.from(parameters);
  const layout = parameterLayout(config);
  const cells = layout.map(({ offset, size: count }) => tape.cell(flat.subarray(offset, offset + count)));
  const byName = new Map(layout.map(({ name }, i) => [name, cells[i] as Cell]));
  const input = tape.cell(Float64Array.from(inputs));
  const { logits, features } = modelOutputs(config, new ReferenceOperations(tape, byName, masks), input);

  const { classes } = config;
  let loss = 0;
  for (let b = 0; b < size; b++) {
    const row = [...logits.data.subarray(b * classes, (b + 1) * classes)];
    const normaliser = logSumExp(row);
    const target = row.map((_, c) => at(targets, b * classes + c));
    const mass = target.reduce((sum, t) => sum + t, 0);
    for (const [c, value] of row.entries()) {
      const t = at(target, c);
      loss += (t * (normaliser - value)) / size;
      addAt(logits.gradient, b * classes + c, (mass * exp(value - normaliser) - t) / size);
    }
  }
  for (let i = 0; logitCotangent !== undefined && i < logits.data.length; i++)
    addAt(logits.gradient, i, at(logitCotangent, i));
  for (let i = 0; featureCotangent !== undefined && i < features.data.length; i++)
    addAt(features.gradient, i, at(featureCotangent, i));
  tape.backward();

  const gradient = new Float64Array(flat.length);
  for (const [i, { offset }] of layout.entries()) gradient.set((cells[i] as Cell).gradient, offset);
  return { loss, logits: logits.data, features: features.data, gradient, inputGradient: input.gradient };
}
