// SPDX-License-Identifier: Apache-2.0

/**
 * Forward, gradient and training-step graphs of any architecture.
 *
 * ONNX Runtime no longer has training, but a backward pass is only more operators (`tape.ts`). Parameters enter and gradients leave as one
 * flat vector (Split and Concat inside the graph): one tensor across the border of the runtime costs less than one per layer, and the
 * optimiser's update is then three operators on vectors.
 */

import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { dropoutLayers, featureWidth, modelOutputs, parameterCount, parameterLayout } from "../layout.ts";
import { type Extent, GraphBuilder, type GraphOptions, type Value } from "./graph.ts";
import { OnnxOperations } from "./onnxOperations.ts";
import { Tape, type Variable } from "./tape.ts";

/** A serialised graph and the names it is run with. */
export interface EmittedGraph {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Which backward graph: each combination is a graph of its own, so nothing that is not asked for is computed. */
export interface GradientVariant {
  readonly logitCotangent: boolean;
  readonly featureCotangent: boolean;
  /** Names of the tensors that get a gradient. */
  readonly trainable: ReadonlySet<string>;
  readonly wantInputs: boolean;
  /** Whether dropout masks are given. */
  readonly masks: boolean;
}

interface Forward {
  readonly tape: Tape;
  readonly input: Variable;
  readonly parameters: ReadonlyMap<string, Variable>;
  readonly logits: Variable;
  readonly features: Variable;
}

type Tracked = Pick<GradientVariant, "trainable" | "wantInputs" | "masks">;

/** The name under which a dropout layer's mask, [B, width], enters a graph. */
export function maskInput(layer: string): string {
  return `mask.${layer}`;
}

/** parameters [d], features_in [B, inputs], masks → logits [B, classes], features [B, width]. */
export function emitForward(config: ModelConfig, batch: Extent, masks = false): EmittedGraph {
  const graph = new GraphBuilder();
  const forward = emitForwardPass(graph, config, batch, { trainable: new Set(), wantInputs: false, masks });
  outputForward(graph, forward, config, batch);
  return finish(graph);
}

/**
 * Adds targets [B, classes], scale [] (1/size: padding rows have zero targets and must not count) and the cotangents of
 * the variant as inputs; log_likelihood [] (summed), gradient [d] and, if wanted, input_gradient [B, inputs] as outputs.
 */
export function emitGradient(
  config: ModelConfig,
  batch: Extent,
  variant: GradientVariant,
  options: GraphOptions = {},
): EmittedGraph {
  const graph = new GraphBuilder(options);
  const forward = emitForwardPass(graph, config, batch, variant);
  const gradient = emitBackwardPass(graph, config, batch, forward, variant);
  outputForward(graph, forward, config, batch);
  graph.applyToOutput("gradient", [parameterCount(config)], "Concat", gradient, { axis: { integer: 0 } });
  if (variant.wantInputs) {
    const inputGradient =
      forward.tape.gradientOf(forward.input) ?? graph.apply("Mul", [forward.input.value, graph.scalar(0)]);
    graph.output("input_gradient", inputGradient, [batch, config.inputs]);
  }
  return finish(graph);
}

export interface StepVariant {
  readonly masks: boolean;
  /** Whether there is any momentum: without it there is no velocity, which would be one more vector out. */
  readonly momentum: boolean;
}

/**
 * Log-likelihood, and one step along the gradient of the cross-entropy: adds learning_rate [] → new_parameters; with momentum also velocity [d] and momentum [] →
 * new_velocity.
 */
export function emitStep(
  config: ModelConfig,
  batch: Extent,
  { masks, momentum }: StepVariant,
  options: GraphOptions = {},
): EmittedGraph {
  const graph = new GraphBuilder(options);
  const size = parameterCount(config);
  const trainable = new Set(parameterLayout(config).map(({ name }) => name));
  const variant = { logitCotangent: false, featureCotangent: false, trainable, wantInputs: false, masks };
  const forward = emitForwardPass(graph, config, batch, variant);
  const pieces = emitBackwardPass(graph, config, batch, forward, variant);
  const learningRate = graph.input("learning_rate", []);
  const gradient = graph.apply("Concat", pieces, { axis: { integer: 0 } });
  let direction = gradient;
  if (momentum) {
    // Separate multiply and add, each rounding to float32: what the composed path does in TypeScript, bit for bit.
    const kept = graph.apply("Mul", [graph.input("velocity", [size]), graph.input("momentum", [])]);
    direction = graph.applyToOutput("new_velocity", [size], "Add", [kept, gradient]);
  }
  const change = graph.apply("Mul", [direction, learningRate]);
  graph.applyToOutput("new_parameters", [size], "Sub", ["parameters" as Value, change]);
  return finish(graph);
}

function emitForwardPass(
  graph: GraphBuilder,
  config: ModelConfig,
  batch: Extent,
  { trainable, wantInputs, masks }: Tracked,
): Forward {
  const tape = new Tape(graph);
  const flat = graph.input("parameters", [parameterCount(config)]);
  const input = tape.variable(graph.input("features_in", [batch, config.inputs]), wantInputs);
  const layout = parameterLayout(config);
  const sizes = graph.integers(layout.map(({ size }) => size));
  const pieces = graph.applyMany("Split", [flat, sizes], layout.length, { axis: { integer: 0 } });
  const parameters = new Map(
    layout.map(({ name, shape }, i) => {
      const piece = pieces[i] as Value;
      const value = shape.length === 1 ? piece : graph.apply("Reshape", [piece, graph.integers(shape)]);
      return [name, tape.variable(value, trainable.has(name))];
    }),
  );
  const given = masks ? dropoutLayers(config) : [];
  const maskValues = new Map(given.map(({ name, width }) => [name, graph.input(maskInput(name), [batch, width])]));
  const operations = new OnnxOperations(tape, parameters, maskValues);
  return { tape, input, parameters, ...modelOutputs(config, operations, input) };
}

function outputForward(graph: GraphBuilder, forward: Forward, config: ModelConfig, batch: Extent): void {
  graph.output("logits", forward.logits.value, [batch, config.classes]);
  graph.output("features", forward.features.value, [batch, featureWidth(config)]);
}

/** Emits log-likelihood and gradients; returns each tensor's gradient, flat, in the order of the layout. */
function emitBackwardPass(
  graph: GraphBuilder,
  config: ModelConfig,
  batch: Extent,
  { tape, logits, features, parameters }: Forward,
  variant: GradientVariant,
): Value[] {
  const targets = graph.input("targets", [batch, config.classes]);
  const scale = graph.input("scale", []);

  const logProbabilities = graph.apply("LogSoftmax", [logits.value], { axis: { integer: 1 } });
  graph.applyToOutput("log_likelihood", [], "ReduceSum", [graph.apply("Mul", [logProbabilities, targets])], {
    keepdims: { integer: 0 },
  });

  // Soft targets of mass m (1 for labels, 0 for padding) give m·softmax − t.
  const mass = graph.apply("ReduceSum", [targets, graph.integers([1])], { keepdims: { integer: 1 } });
  const probabilities = graph.apply("Softmax", [logits.value], { axis: { integer: 1 } });
  const residual = graph.apply("Sub", [graph.apply("Mul", [probabilities, mass]), targets]);
  tape.contribute(logits, () => graph.apply("Mul", [residual, scale]));
  if (variant.logitCotangent) {
    const cotangent = graph.input("logit_cotangent", [batch, config.classes]);
    tape.contribute(logits, () => cotangent);
  }
  // A gradient that stops above the features has no such input.
  if (variant.featureCotangent)
    tape.contribute(features, () => graph.input("feature_cotangent", [batch, featureWidth(config)]));
  tape.backward();

  return parameterLayout(config).map(({ name, shape, size }) => {
    const gradient = tape.gradientOf(parameters.get(name) as Variable);
    if (gradient === undefined) return graph.apply("ConstantOfShape", [graph.integers([size])]);
    return shape.length === 1 ? gradient : graph.apply("Reshape", [gradient, graph.integers([size])]);
  });
}

function finish(graph: GraphBuilder): EmittedGraph {
  return { bytes: graph.finish(), inputs: graph.inputNames, outputs: graph.outputNames };
}
