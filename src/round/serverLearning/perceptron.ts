// SPDX-License-Identifier: Apache-2.0
import { exp } from "../../protocol/math.ts";
import type { Random } from "../../protocol/random.ts";

/**
 * A small fully connected network in float64 with its own backward pass, for controllers and denoisers that are too small for an engine:
 * SiLU x·σ(x) between layers, linear at the end. Parameters are one vector: W1 (outputs × inputs), b1, W2, b2, …
 */
export interface Perceptron {
  readonly parameterCount: number;
  /** N(0, 2/(inputs + outputs)) (Glorot & Bengio 2010), biases 0; the last layer all zeros, so that the output starts at 0. */
  initialise(random: Random): Float64Array;
  forward(parameters: Float64Array, input: ArrayLike<number>): Activations;
  /** Adds ∂⟨cotangent, output⟩/∂parameters to `gradient`. */
  backward(
    parameters: Float64Array,
    activations: Activations,
    cotangent: ArrayLike<number>,
    gradient: Float64Array,
  ): void;
}

export interface Activations {
  readonly output: Float64Array;
  /** Input of each layer, and its values before the nonlinearity. */
  readonly layers: readonly { readonly input: Float64Array; readonly sums: Float64Array }[];
}

/** @param widths inputs, hidden widths, outputs. */
export function perceptron(widths: readonly number[]): Perceptron {
  const layers = widths.slice(1).map((outputs, l) => ({ inputs: widths[l] as number, outputs, weight: 0, bias: 0 }));
  let size = 0;
  for (const layer of layers) {
    layer.weight = size;
    layer.bias = size + layer.inputs * layer.outputs;
    size = layer.bias + layer.outputs;
  }
  return {
    parameterCount: size,
    initialise(random) {
      const parameters = new Float64Array(size);
      for (const { inputs, outputs, weight, bias } of layers.slice(0, -1)) {
        const deviation = Math.sqrt(2 / (inputs + outputs));
        for (let j = weight; j < bias; j++) parameters[j] = deviation * random.normal();
      }
      return parameters;
    },
    forward(parameters, input) {
      const kept: { input: Float64Array; sums: Float64Array }[] = [];
      let values = new Float64Array(input);
      for (const [l, { inputs, outputs, weight, bias }] of layers.entries()) {
        const sums = new Float64Array(outputs);
        for (let o = 0; o < outputs; o++) {
          let sum = parameters[bias + o] as number;
          const row = weight + o * inputs;
          for (let i = 0; i < inputs; i++) sum += (parameters[row + i] as number) * (values[i] as number);
          sums[o] = sum;
        }
        kept.push({ input: values, sums });
        values = l === layers.length - 1 ? sums : sums.map((x) => x * sigmoid(x));
      }
      return { output: values, layers: kept };
    },
    backward(parameters, activations, cotangent, gradient) {
      let back = new Float64Array(cotangent);
      for (let l = layers.length - 1; l >= 0; l--) {
        const { inputs, outputs, weight, bias } = layers[l] as (typeof layers)[number];
        const { input, sums } = activations.layers[l] as Activations["layers"][number];
        if (l < layers.length - 1) back = back.map((d, o) => d * siluSlope(sums[o] as number));
        const toInput = new Float64Array(inputs);
        for (let o = 0; o < outputs; o++) {
          const d = back[o] as number;
          gradient[bias + o] = (gradient[bias + o] as number) + d;
          const row = weight + o * inputs;
          for (let i = 0; i < inputs; i++) {
            gradient[row + i] = (gradient[row + i] as number) + d * (input[i] as number);
            toInput[i] = (toInput[i] as number) + d * (parameters[row + i] as number);
          }
        }
        back = toInput;
      }
    },
  };
}

function sigmoid(x: number): number {
  return 1 / (1 + exp(-x));
}

/** d/dx x·σ(x) = σ(x)·(1 + x·(1 − σ(x))). */
function siluSlope(x: number): number {
  const s = sigmoid(x);
  return s * (1 + x * (1 - s));
}
