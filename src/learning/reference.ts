// SPDX-License-Identifier: Apache-2.0

/**
 * Logistic regression and ReLU perceptrons in plain float64: slow, obvious, and what every engine is compared with.
 */

import { exp, logSumExp } from "../protocol/math.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { linearLayers, parameterCount } from "./layout.ts";

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
}

/** Loss, outputs and all gradients of `GradientResult`, one sample at a time. */
export function referenceValueAndGradient(
  config: ModelConfig,
  parameters: ArrayLike<number>,
  inputs: ArrayLike<number>,
  size: number,
  { targets, logitCotangent, featureCotangent }: ReferenceRequest,
): ReferenceResult {
  const layers = linearLayers(config);
  const width = (layers.at(-1) as (typeof layers)[number]).inputs;
  const result = {
    loss: 0,
    logits: new Float64Array(size * config.classes),
    features: new Float64Array(size * width),
    gradient: new Float64Array(parameterCount(config)),
    inputGradient: new Float64Array(size * config.inputs),
  };
  for (let b = 0; b < size; b++) {
    const activations: number[][] = [slice(inputs, b, config.inputs)];
    for (const [l, layer] of layers.entries()) {
      const h = activations[l] as number[];
      const z = Array.from({ length: layer.outputs }, (_, o) => {
        let sum = parameters[layer.bias.offset + o] as number;
        for (let i = 0; i < layer.inputs; i++)
          sum += (parameters[layer.weight.offset + o * layer.inputs + i] as number) * (h[i] as number);
        return sum;
      });
      activations.push(layer.weight.head ? z : z.map((value) => (value > 0 ? value : 0)));
    }
    const logits = activations[layers.length] as number[];
    const target = slice(targets, b, config.classes);
    const mass = target.reduce((sum, t) => sum + t, 0);
    const normaliser = logSumExp(logits);
    result.logits.set(logits, b * config.classes);
    result.features.set(activations[layers.length - 1] as number[], b * width);
    for (const [c, t] of target.entries()) result.loss += (t * (normaliser - (logits[c] as number))) / size;

    let dz = logits.map(
      (value, c) =>
        (mass * exp(value - normaliser) - (target[c] as number)) / size +
        (logitCotangent?.[b * config.classes + c] ?? 0),
    );
    for (let l = layers.length - 1; l >= 0; l--) {
      const layer = layers[l] as (typeof layers)[number];
      const h = activations[l] as number[];
      const dh = new Array<number>(layer.inputs).fill(0);
      for (let o = 0; o < layer.outputs; o++) {
        const d = dz[o] as number;
        add(result.gradient, layer.bias.offset + o, d);
        for (let i = 0; i < layer.inputs; i++) {
          const w = layer.weight.offset + o * layer.inputs + i;
          add(result.gradient, w, d * (h[i] as number));
          dh[i] = (dh[i] as number) + d * (parameters[w] as number);
        }
      }
      if (layer.weight.head)
        for (let i = 0; i < width; i++) dh[i] = (dh[i] as number) + (featureCotangent?.[b * width + i] ?? 0);
      if (l === 0) result.inputGradient.set(dh, b * config.inputs);
      // h is max(z, 0), so h > 0 exactly where z > 0.
      dz = dh.map((value, i) => ((h[i] as number) > 0 ? value : 0));
    }
  }
  return result;
}

function slice(values: ArrayLike<number>, row: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => values[row * width + i] as number);
}

function add(values: Float64Array, index: number, amount: number): void {
  values[index] = (values[index] as number) + amount;
}
