// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { MAX_MODEL_SIZE } from "../protocol/layout.ts";
import type { Random } from "../protocol/random.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";

/** One named parameter tensor of a model, row-major. */
export interface ParameterTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of its first value in the flat parameter vector. */
  readonly offset: number;
  /** Number of values. */
  readonly size: number;
  /** Belongs to the last linear layer, from features to logits. */
  readonly head: boolean;
}

/** A linear layer z = h·Wᵀ + b. */
export interface LinearLayer {
  readonly weight: ParameterTensor;
  readonly bias: ParameterTensor;
  readonly inputs: number;
  readonly outputs: number;
}

/** The linear layers of a model, first to last, with their places in the flat vector. Logistic regression is one of them alone. */
export function linearLayers(config: ModelConfig): readonly LinearLayer[] {
  const widths =
    config.kind === "mlp" ? [config.inputs, ...config.hidden, config.classes] : [config.inputs, config.classes];
  for (const width of widths) {
    if (!Number.isSafeInteger(width) || width < 1)
      throw new ConfigError(`A model's widths are positive integers; got [${widths.join(", ")}].`);
  }
  const layers: LinearLayer[] = [];
  let offset = 0;
  for (let l = 1; l < widths.length; l++) {
    const [inputs, outputs] = [widths[l - 1] as number, widths[l] as number];
    const head = l === widths.length - 1;
    const weight = { name: `layer${l}.weight`, shape: [outputs, inputs], offset, size: outputs * inputs, head };
    const bias = { name: `layer${l}.bias`, shape: [outputs], offset: offset + weight.size, size: outputs, head };
    offset = bias.offset + bias.size;
    if (offset > MAX_MODEL_SIZE)
      throw new ConfigError(`The model has more than ${MAX_MODEL_SIZE} parameters; choose smaller widths.`);
    layers.push({ weight, bias, inputs, outputs });
  }
  return layers;
}

/**
 * The order of a model's parameters: layer1.weight, layer1.bias, layer2.weight, …
 *
 * Weights have shape [outputs, inputs], as `torch.nn.Linear` keeps them, so a checkpoint loads into PyTorch as it is.
 */
export function parameterLayout(config: ModelConfig): readonly ParameterTensor[] {
  return linearLayers(config).flatMap(({ weight, bias }) => [weight, bias]);
}

/** d: the number of parameters. */
export function parameterCount(config: ModelConfig): number {
  return parameterLayout(config).reduce((sum, { size }) => sum + size, 0);
}

/**
 * Starting parameters: weights before a ReLU from N(0, 2/inputs) (He et al. 2015), those of the head from
 * N(0, 2/(inputs + outputs)) (Glorot & Bengio 2010), biases 0. Each tensor draws from its own stream, named by its name.
 */
export function initialiseParameters(config: ModelConfig, random: Random): Float32Array {
  const parameters = new Float32Array(parameterCount(config));
  for (const { weight, inputs, outputs } of linearLayers(config)) {
    const deviation = Math.sqrt(2 / (weight.head ? inputs + outputs : inputs));
    const stream = random.derive("initialise", weight.name);
    // + 0 keeps −0 out: it has no place on the grid.
    for (let i = 0; i < weight.size; i++) parameters[weight.offset + i] = deviation * stream.normal() + 0;
  }
  return parameters;
}
