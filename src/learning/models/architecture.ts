// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import type { DropoutLayer, Operations } from "../operations.ts";
import type { SymmetryGroup } from "../symmetry/symmetryGroup.ts";

/** How a tensor starts. */
export type Initialisation =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  /** As many blocks of one length as values, each filled with its value. */
  | { readonly kind: "blocks"; readonly values: readonly number[] }
  | { readonly kind: "normal"; readonly deviation: number }
  /** Uniform in (−bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number };

/** One named tensor of an architecture, row-major, with PyTorch's shape, so that a checkpoint loads there as it is. */
export interface ModelTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Belongs to the last linear layer, from features to logits. */
  readonly head: boolean;
  /** Belongs to an adapter; left out where it does not. */
  readonly adapter?: boolean;
  readonly initial: Initialisation;
}

export interface ModelOutputs<V> {
  readonly logits: V;
  /** The input of the last linear layer. */
  readonly features: V;
}

/** One architecture. A new one is a file with this and a row in `architectures.ts`. */
export interface Architecture<C extends ModelConfig> {
  /** Tensors in the order of the parameter vector. @throws ConfigError for extents that do not fit each other. */
  tensors(config: C): readonly ModelTensor[];
  featureWidth(config: C): number;
  /** Where units are dropped in training; none by default. */
  dropoutLayers?(config: C): readonly DropoutLayer[];
  forward<V>(operations: Operations<V>, config: C, input: V): ModelOutputs<V>;
  /** Transformations of the parameters that leave the function as it is (spec B8.4). */
  symmetryGroups(config: C): readonly SymmetryGroup[];
  /** Number of tokens in the vocabulary, for models whose inputs are token ids 0 … vocabulary−1. */
  vocabulary?(config: C): number;
}

/** The configuration of one kind. */
export type ConfigOf<K extends ModelConfig["kind"]> = Extract<ModelConfig, { kind: K }>;

/** Weights before a ReLU: N(0, 2/inputs) (He et al. 2015). */
export function he(inputs: number): Initialisation {
  return { kind: "normal", deviation: Math.sqrt(2 / inputs) };
}

/** Other weights: N(0, 2/(inputs + outputs)) (Glorot & Bengio 2010). */
export function glorot(inputs: number, outputs: number): Initialisation {
  return { kind: "normal", deviation: Math.sqrt(2 / (inputs + outputs)) };
}

/** Weight [outputs, inputs] and bias of a linear layer. */
export function linearTensors(
  name: string,
  inputs: number,
  outputs: number,
  initial: Initialisation,
  head = false,
): ModelTensor[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], head, initial },
    { name: `${name}.bias`, shape: [outputs], head, initial: { kind: "zeros" } },
  ];
}

/** Applies the linear layer of that name. */
export function linear<V>(operations: Operations<V>, name: string, x: V): V {
  return operations.linear(x, operations.parameter(`${name}.weight`), operations.parameter(`${name}.bias`));
}

/** The tensor's starting values, in order, from the tensor's own stream. */
export function initialValues(initial: Initialisation, size: number, stream: Random): Float32Array {
  const values = new Float32Array(size);
  if (initial.kind === "zeros" || initial.kind === "ones") return values.fill(initial.kind === "ones" ? 1 : 0);
  if (initial.kind === "blocks") {
    const block = size / initial.values.length;
    return values.map((_, i) => initial.values[Math.floor(i / block)] as number);
  }
  for (let i = 0; i < size; i++) {
    const draw =
      initial.kind === "normal" ? initial.deviation * stream.normal() : initial.bound * (2 * stream.uniform() - 1);
    // + 0 keeps −0 out: it has no place on the grid.
    values[i] = draw + 0;
  }
  return values;
}
