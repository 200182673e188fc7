// SPDX-License-Identifier: Apache-2.0

/** Small models behind the learning port, exact enough to check algorithms against worked examples. */

import type { LocalTask } from "../../../src/learning/algorithms/localAlgorithm.ts";
import { LearningError } from "../../../src/learning/errors.ts";
import { type ParameterTensor, parameterCount, parameterLayout } from "../../../src/learning/layout.ts";
import type { Batch, GradientRequest, Model } from "../../../src/learning/model.ts";
import { referenceValueAndGradient } from "../../../src/learning/reference.ts";
import type { Dataset } from "../../../src/protocol/dataset.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { ModelConfig } from "../../../src/protocol/recipe/modelConfig.ts";

/** F(w) = mean over the batch of ‖w − a‖²/2, each sample's features being its a. No fused step, no head. */
export function quadratic(size = 1, seen: number[][] = []): Model {
  return {
    config: { kind: "logistic", inputs: size, classes: 2 },
    layout: [{ name: "w", shape: [size], offset: 0, size, head: false }],
    parameterCount: size,
    forward: () => {
      throw new LearningError("UNSUPPORTED", "a quadratic has no outputs");
    },
    valueAndGradient: async (parameters, { features, size: count }) => {
      seen.push([...features]);
      let loss = 0;
      const sums = new Float64Array(size);
      for (let b = 0; b < count; b++) {
        for (let i = 0; i < size; i++) {
          const away = (parameters[i] as number) - (features[b * size + i] as number);
          loss += (away * away) / 2 / count;
          sums[i] = (sums[i] as number) + away / count;
        }
      }
      return { loss, logits: new Float32Array(), features: new Float32Array(), gradient: Float32Array.from(sums) };
    },
  };
}

/** A data set of points for `quadratic`, all of class 0. */
export function points(...values: readonly number[]): Dataset {
  return {
    features: Float32Array.from(values),
    labels: new Int32Array(values.length),
    inputs: 1,
    classes: 2,
    size: values.length,
  };
}

/** A perceptron in float64 (parameters and results are float32): W1, b1, W2, b2, … with tanh between, or linear alone. */
export function perceptron(...widths: readonly number[]): Model {
  const [inputs, classes] = [widths[0] as number, widths.at(-1) as number];
  const layers = widths.slice(1).map((outputs, l) => ({ inputs: widths[l] as number, outputs, weight: 0, bias: 0 }));
  const layout: ParameterTensor[] = [];
  let offset = 0;
  for (const [l, layer] of layers.entries()) {
    const head = l === layers.length - 1;
    const size = layer.inputs * layer.outputs;
    layer.weight = offset;
    layer.bias = offset + size;
    layout.push({ name: `layer${l + 1}.weight`, shape: [layer.outputs, layer.inputs], offset, size, head });
    layout.push({ name: `layer${l + 1}.bias`, shape: [layer.outputs], offset: layer.bias, size: layer.outputs, head });
    offset = layer.bias + layer.outputs;
  }
  const at = (values: ArrayLike<number>, i: number): number => values[i] as number;

  const run = (w: Float32Array, x: ArrayLike<number>): number[][] => {
    const outputs: number[][] = [Array.from(x)];
    for (const [l, layer] of layers.entries()) {
      const h = outputs[l] as number[];
      const z = Array.from({ length: layer.outputs }, (_, o) => {
        let sum = at(w, layer.bias + o);
        for (let i = 0; i < layer.inputs; i++) sum += at(w, layer.weight + o * layer.inputs + i) * at(h, i);
        return sum;
      });
      outputs.push(l === layers.length - 1 ? z : z.map(Math.tanh));
    }
    return outputs;
  };
  const width = (layers.at(-1) as (typeof layers)[number]).inputs;
  return {
    config: { kind: "logistic", inputs, classes },
    layout,
    parameterCount: offset,
    forward: async (w, { features, size }) => {
      const all = Array.from({ length: size }, (_, b) => run(w, features.subarray(b * inputs, (b + 1) * inputs)));
      return {
        logits: Float32Array.from(all.flatMap((outputs) => outputs.at(-1) as number[])),
        features: Float32Array.from(all.flatMap((outputs) => outputs.at(-2) as number[])),
      };
    },
    valueAndGradient: async (
      w,
      { features, labels, size },
      { softTargets, cotangents, trainable }: GradientRequest,
    ) => {
      const gradient = new Float64Array(offset);
      const [logits, penultimate]: [number[], number[]] = [[], []];
      let loss = 0;
      for (let b = 0; b < size; b++) {
        const outputs = run(w, features.subarray(b * inputs, (b + 1) * inputs));
        const z = outputs.at(-1) as number[];
        logits.push(...z);
        penultimate.push(...(outputs.at(-2) as number[]));
        const target = z.map((_, c) =>
          softTargets === undefined ? Number(labels?.[b] === c) : at(softTargets, b * classes + c),
        );
        const mass = target.reduce((sum, t) => sum + t, 0);
        const highest = Math.max(...z);
        const normaliser = highest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - highest), 0));
        let slope = z.map((value, c) => {
          loss += (at(target, c) * (normaliser - value)) / size;
          const own = (mass * Math.exp(value - normaliser) - at(target, c)) / size;
          return own + (cotangents?.logits?.[b * classes + c] ?? 0);
        });
        for (let l = layers.length - 1; l >= 0; l--) {
          const layer = layers[l] as (typeof layers)[number];
          const h = outputs[l] as number[];
          const back = h.map((_, i) => (l === layers.length - 1 ? (cotangents?.features?.[b * width + i] ?? 0) : 0));
          for (const [o, d] of slope.entries()) {
            gradient[layer.bias + o] = at(gradient, layer.bias + o) + d;
            for (let i = 0; i < layer.inputs; i++) {
              const place = layer.weight + o * layer.inputs + i;
              gradient[place] = at(gradient, place) + d * at(h, i);
              back[i] = at(back, i) + d * at(w, place);
            }
          }
          slope = back.map((value, i) => value * (1 - at(h, i) * at(h, i)));
        }
      }
      if (trainable !== undefined)
        for (const tensor of layout)
          if (!trainable.includes(tensor.name)) gradient.fill(0, tensor.offset, tensor.offset + tensor.size);
      return {
        loss,
        logits: Float32Array.from(logits),
        features: Float32Array.from(penultimate),
        gradient: Float32Array.from(gradient),
      };
    },
  };
}

/** Any architecture on the float64 reference: its outputs and gradients rounded once. No dropout. */
export function referenceModel(config: ModelConfig): Model {
  const layout = parameterLayout(config);
  const { classes } = config;
  const run = (w: Float32Array, { features, labels, size }: Batch, { softTargets, cotangents }: GradientRequest) => {
    const targets = softTargets ?? new Float32Array(size * classes);
    if (softTargets === undefined) labels?.forEach((label, b) => (targets[b * classes + label] = 1));
    const { logits, features: featureCotangent } = cotangents ?? {};
    return referenceValueAndGradient(config, w, features, size, {
      targets,
      ...(logits === undefined ? {} : { logitCotangent: logits }),
      ...(featureCotangent === undefined ? {} : { featureCotangent }),
    });
  };
  return {
    config,
    layout,
    parameterCount: parameterCount(config),
    forward: async (w, batch) => {
      const { logits, features } = run(w, batch, {});
      return { logits: Float32Array.from(logits), features: Float32Array.from(features) };
    },
    valueAndGradient: async (w, batch, request) => {
      const { loss, logits, features, gradient } = run(w, batch, request);
      for (const { name, offset, size } of layout)
        if (request.trainable?.includes(name) === false) gradient.fill(0, offset, offset + size);
      return {
        loss,
        logits: Float32Array.from(logits),
        features: Float32Array.from(features),
        gradient: Float32Array.from(gradient),
      };
    },
  };
}

/** A task of member 1's first round. */
export function taskOf(state: Float32Array, shard: Dataset, more: Partial<LocalTask> = {}): LocalTask {
  return { round: 1, state, shard, random: keyedRandom("task"), local: {}, participation: 1, ...more };
}

/** Three Gaussian clusters in four dimensions. */
export function clusters(size: number, name = "clusters"): Dataset {
  const random = keyedRandom(name, size);
  const labels = Int32Array.from({ length: size }, () => random.integerBelow(3));
  const features = Float32Array.from(
    { length: size * 4 },
    (_, i) => random.normal() + (labels[Math.floor(i / 4)] === i % 4 ? 4 : 0),
  );
  return { features, labels, inputs: 4, classes: 3, size };
}

/** Parameters from N(0, deviation²). */
export function gaussian(size: number, deviation = 0.5, name = "gaussian"): Float32Array {
  const random = keyedRandom(name, size);
  return Float32Array.from({ length: size }, () => deviation * random.normal());
}
