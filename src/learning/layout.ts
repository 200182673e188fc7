// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { MAX_MODEL_SIZE } from "../protocol/layout.ts";
import type { Random } from "../protocol/random.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import { initialValues, type ModelOutputs, type ModelTensor } from "./models/architecture.ts";
import { architectureOf } from "./models/architectures.ts";
import type { DropoutLayer, Operations } from "./operations.ts";
import type { SymmetryGroup } from "./symmetry/symmetryGroup.ts";

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
  /** Belongs to an adapter (src/learning/models/adapter.ts); left out where it does not. */
  readonly adapter?: boolean;
}

/**
 * The order of a model's parameters, with PyTorch's names and shapes (src/learning/models), so that a checkpoint loads there as it is.
 *
 * @throws ConfigError for extents that are not positive integers or do not fit each other, and for models beyond the protocol's size.
 */
export function parameterLayout(config: ModelConfig): readonly ParameterTensor[] {
  let offset = 0;
  return checkedTensors(config).map(({ name, shape, head, adapter }) => {
    const tensor = { name, shape, offset, size: sizeOf(shape), head, ...(adapter === true ? { adapter } : {}) };
    offset += tensor.size;
    if (offset > MAX_MODEL_SIZE)
      throw new ConfigError(`The model has more than ${MAX_MODEL_SIZE} parameters; choose smaller widths.`);
    return tensor;
  });
}

/** d: the number of parameters. */
export function parameterCount(config: ModelConfig): number {
  return parameterLayout(config).reduce((sum, { size }) => sum + size, 0);
}

/** Starting parameters, as the architecture says. Each tensor draws from its own stream, named by its name. */
export function initialiseParameters(config: ModelConfig, random: Random): Float32Array {
  const parameters = new Float32Array(parameterCount(config));
  let offset = 0;
  for (const { name, shape, initial } of checkedTensors(config)) {
    parameters.set(initialValues(initial, sizeOf(shape), random.derive("initialise", name)), offset);
    offset += sizeOf(shape);
  }
  return parameters;
}

/** Number of features: the inputs of the last linear layer. */
export function featureWidth(config: ModelConfig): number {
  return architectureOf(config).featureWidth(config);
}

/** Where units are dropped in training; empty without dropout. */
export function dropoutLayers(config: ModelConfig): readonly DropoutLayer[] {
  return architectureOf(config).dropoutLayers?.(config) ?? [];
}

/** Number of tokens a model knows, or undefined where its inputs are plain numbers. */
export function vocabularyOf(config: ModelConfig): number | undefined {
  return architectureOf(config).vocabulary?.(config);
}

/** The transformations of the parameters that leave the model's function as it is (spec B8.4). */
export function symmetryGroups(config: ModelConfig): readonly SymmetryGroup[] {
  return architectureOf(config).symmetryGroups(config);
}

/** The model's forward pass, as a program over any backend's operations. */
export function modelOutputs<V>(config: ModelConfig, operations: Operations<V>, input: V): ModelOutputs<V> {
  return architectureOf(config).forward(operations, config, input);
}

function checkedTensors(config: ModelConfig): readonly ModelTensor[] {
  const tensors = architectureOf(config).tensors(config);
  for (const { name, shape } of tensors) {
    if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 1))
      throw new ConfigError(`A model's widths are positive integers; got [${shape.join(", ")}] for ${name}.`);
  }
  return tensors;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
