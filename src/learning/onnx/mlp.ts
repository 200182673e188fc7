// SPDX-License-Identifier: Apache-2.0

/**
 * Forward and backward passes of logistic regression and ReLU perceptrons as ONNX graphs.
 *
 * ONNX Runtime no longer has training, but a backward pass is only more operators: with z_l = h_{l−1}·W_lᵀ + b_l,
 * h_l = max(z_l, 0), h_0 = x, and dz_L the gradient at the logits,
 *
 *     dW_l = dz_lᵀ·h_{l−1}     db_l = Σ_batch dz_l     dh_{l−1} = dz_l·W_l     dz_l = dh_l ⊙ [z_l > 0]
 *
 * Parameters enter and gradients leave as one flat vector (Split and Concat inside the graph): one tensor across the
 * border of the runtime costs less than one per layer, and the optimiser's update is then three operators on vectors.
 */

import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { type LinearLayer, linearLayers, parameterCount } from "../layout.ts";
import { type Extent, GraphBuilder, type Value } from "./graph.ts";

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
}

interface Layer extends LinearLayer {
  readonly w: Value;
  readonly b: Value;
}

interface Forward {
  readonly layers: readonly Layer[];
  /** h_0 … h_{L−1}: the input of each layer. */
  readonly inputs: readonly Value[];
  /** z_1 … z_L. */
  readonly outputs: readonly Value[];
}

/** parameters [d], features_in [B, inputs] → logits [B, classes], features [B, width]. */
export function emitForward(config: ModelConfig, batch: Extent): EmittedGraph {
  const graph = new GraphBuilder();
  outputForward(graph, emitForwardPass(graph, config, batch), batch);
  return finish(graph);
}

/**
 * Adds targets [B, classes], scale [] (1/size: padding rows have zero targets and must not count) and the cotangents of
 * the variant as inputs; loss [], gradient [d] and, if wanted, input_gradient [B, inputs] as outputs.
 */
export function emitGradient(config: ModelConfig, batch: Extent, variant: GradientVariant): EmittedGraph {
  const graph = new GraphBuilder();
  const forward = emitForwardPass(graph, config, batch);
  const { gradient, inputGradient } = emitBackwardPass(graph, config, batch, forward, variant);
  outputForward(graph, forward, batch);
  graph.output("gradient", gradient, [parameterCount(config)]);
  if (inputGradient !== undefined) graph.output("input_gradient", inputGradient, [batch, config.inputs]);
  return finish(graph);
}

/** Gradient of the cross-entropy and one heavy-ball step: adds velocity [d], learning_rate [], momentum [] → new_parameters, new_velocity. */
export function emitStep(config: ModelConfig, batch: Extent): EmittedGraph {
  const graph = new GraphBuilder();
  const size = parameterCount(config);
  const forward = emitForwardPass(graph, config, batch);
  const everything = new Set(forward.layers.flatMap(({ weight, bias }) => [weight.name, bias.name]));
  const variant = { logitCotangent: false, featureCotangent: false, trainable: everything, wantInputs: false };
  const { gradient } = emitBackwardPass(graph, config, batch, forward, variant);
  const velocity = graph.input("velocity", [size]);
  const learningRate = graph.input("learning_rate", []);
  const momentum = graph.input("momentum", []);
  // Separate multiply and add, each rounding to float32: what the composed path does in TypeScript, bit for bit.
  const newVelocity = graph.apply("Add", [graph.apply("Mul", [velocity, momentum]), gradient]);
  const change = graph.apply("Mul", [newVelocity, learningRate]);
  graph.output("new_parameters", graph.apply("Sub", ["parameters" as Value, change]), [size]);
  graph.output("new_velocity", newVelocity, [size]);
  return finish(graph);
}

function emitForwardPass(graph: GraphBuilder, config: ModelConfig, batch: Extent): Forward {
  const linear = linearLayers(config);
  const parameters = graph.input("parameters", [parameterCount(config)]);
  let h = graph.input("features_in", [batch, config.inputs]);

  const sizes = linear.flatMap(({ weight, bias }) => [weight.size, bias.size]);
  const pieces = graph.applyMany("Split", [parameters, graph.integers(sizes)], sizes.length, { axis: { integer: 0 } });
  const layers = linear.map((layer, l) => ({
    ...layer,
    w: graph.apply("Reshape", [pieces[2 * l] as Value, graph.integers(layer.weight.shape)]),
    b: pieces[2 * l + 1] as Value,
  }));

  const inputs: Value[] = [];
  const outputs: Value[] = [];
  for (const { w, b } of layers) {
    inputs.push(h);
    const z = graph.apply("Gemm", [h, w, b], { transB: { integer: 1 } });
    outputs.push(z);
    if (outputs.length < layers.length) h = graph.apply("Relu", [z]);
  }
  return { layers, inputs, outputs };
}

function outputForward(graph: GraphBuilder, { layers, inputs, outputs }: Forward, batch: Extent): void {
  const head = layers.at(-1) as Layer;
  graph.output("logits", outputs.at(-1) as Value, [batch, head.outputs]);
  graph.output("features", inputs.at(-1) as Value, [batch, head.inputs]);
}

function emitBackwardPass(
  graph: GraphBuilder,
  config: ModelConfig,
  batch: Extent,
  { layers, inputs, outputs }: Forward,
  variant: GradientVariant,
): { gradient: Value; inputGradient: Value | undefined } {
  const logits = outputs.at(-1) as Value;
  const targets = graph.input("targets", [batch, config.classes]);
  const scale = graph.input("scale", []);

  const logProbabilities = graph.apply("LogSoftmax", [logits], { axis: { integer: 1 } });
  const crossEntropy = graph.apply("ReduceSum", [graph.apply("Mul", [logProbabilities, targets])], {
    keepdims: { integer: 0 },
  });
  graph.output("loss", graph.apply("Mul", [graph.apply("Neg", [crossEntropy]), scale]), []);

  // Soft targets of mass m (1 for labels, 0 for padding) give m·softmax − t.
  const mass = graph.apply("ReduceSum", [targets, graph.integers([1])], { keepdims: { integer: 1 } });
  const probabilities = graph.apply("Softmax", [logits], { axis: { integer: 1 } });
  const residual = graph.apply("Sub", [graph.apply("Mul", [probabilities, mass]), targets]);
  let dz = graph.apply("Mul", [residual, scale]);
  if (variant.logitCotangent) dz = graph.apply("Add", [dz, graph.input("logit_cotangent", [batch, config.classes])]);

  const lowestTrained = layers.findIndex(
    ({ weight, bias }) => variant.trainable.has(weight.name) || variant.trainable.has(bias.name),
  );
  const lowest = variant.wantInputs ? 0 : lowestTrained === -1 ? layers.length : lowestTrained;
  const pieces: Value[] = [];
  let inputGradient: Value | undefined;
  // Below the lowest layer that needs a gradient dz is stale, and nothing there uses it.
  for (let l = layers.length - 1; l >= 0; l--) {
    const { weight, bias, w } = layers[l] as Layer;
    const db = variant.trainable.has(bias.name)
      ? graph.apply("ReduceSum", [dz, graph.integers([0])], { keepdims: { integer: 0 } })
      : zeros(graph, bias.size);
    const dw = variant.trainable.has(weight.name)
      ? graph.apply("Reshape", [
          graph.apply("Gemm", [dz, inputs[l] as Value], { transA: { integer: 1 } }),
          graph.integers([weight.size]),
        ])
      : zeros(graph, weight.size);
    pieces.unshift(dw, db);

    const goesOn = l > lowest || (l === 0 && variant.wantInputs);
    if (!goesOn) continue;
    let dh = graph.apply("Gemm", [dz, w]);
    if (l === layers.length - 1 && variant.featureCotangent) {
      dh = graph.apply("Add", [dh, graph.input("feature_cotangent", [batch, (layers[l] as Layer).inputs])]);
    }
    if (l === 0) {
      inputGradient = dh;
      continue;
    }
    const active = graph.apply("Cast", [graph.apply("Greater", [outputs[l - 1] as Value, graph.scalar(0)])], {
      to: { integer: 1 },
    });
    dz = graph.apply("Mul", [dh, active]);
  }
  return { gradient: graph.apply("Concat", pieces, { axis: { integer: 0 } }), inputGradient };
}

function zeros(graph: GraphBuilder, size: number): Value {
  return graph.apply("ConstantOfShape", [graph.integers([size])]);
}

function finish(graph: GraphBuilder): EmittedGraph {
  return { bytes: graph.finish(), inputs: graph.inputNames, outputs: graph.outputNames };
}
