// SPDX-License-Identifier: Apache-2.0
import type { Tensor, Tensor4D } from "@tensorflow/tfjs-core";
import {
  type Activation,
  type AttentionShape,
  type Convolution,
  type DropoutLayer,
  type ImageShape,
  type LstmWeights,
  MASKED_SCORE,
  NORM_EPSILON,
  type Operations,
  type Pooling,
} from "../../operations.ts";
import { chooseRows, correlate, firstMaximum, product, productWithTransposed } from "./differentiable.ts";
import type { Tensorflow } from "./runtime.ts";

/**
 * The operations as TensorFlow.js calls. Images are kept as [batch, height, width, channels], the only order that its convolutions take
 * everywhere; sequences as [steps, batch, channels].
 */
export class TensorflowOperations implements Operations<Tensor> {
  readonly #tf: Tensorflow;
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #masks: ReadonlyMap<string, Tensor>;
  readonly #constants: WeakSet<Tensor>;

  /**
   * @param masks by dropout layer, [batch, width]; a layer without one passes its input on.
   * @param constants parameters and inputs that nothing is differentiated by.
   */
  constructor(
    tf: Tensorflow,
    parameters: ReadonlyMap<string, Tensor>,
    masks: ReadonlyMap<string, Tensor>,
    constants: readonly Tensor[],
  ) {
    this.#tf = tf;
    this.#constants = new WeakSet(constants);
    this.#parameters = parameters;
    this.#masks = masks;
  }

  parameter(name: string): Tensor {
    const tensor = this.#parameters.get(name);
    if (tensor === undefined) throw new Error(`The layout has no tensor "${name}".`);
    return tensor;
  }

  linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
    return this.#tf.add(productWithTransposed(this.#tf, x, weight, this.#constants), bias);
  }

  activate(kind: Activation, x: Tensor): Tensor {
    return kind === "relu" ? this.#tf.relu(x) : this.#tf.tanh(x);
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#tf.add(a, b);
  }

  dropout(x: Tensor, layer: DropoutLayer, rowWidth: number): Tensor {
    const mask = this.#masks.get(layer.name);
    return mask === undefined ? x : this.#tf.mul(x, this.#tf.reshape(mask, [-1, rowWidth]));
  }

  image(x: Tensor, { channels, height, width }: ImageShape): Tensor {
    return this.#from(x, this.#tf.transpose(this.#tf.reshape(x, [-1, channels, height, width]), [0, 2, 3, 1]));
  }

  convolve(x: Tensor, weight: Tensor, bias: Tensor | undefined, { stride, padding }: Convolution): Tensor {
    const tf = this.#tf;
    const [top, left] = padding;
    const around: [number, number][] = [
      [0, 0],
      [top, top],
      [left, left],
      [0, 0],
    ];
    const padded = top === 0 && left === 0 ? x : this.#from(x, tf.pad(x, around));
    const kernel = this.#from(weight, tf.transpose(weight, [2, 3, 1, 0]));
    const result = correlate(tf, padded, kernel, stride, this.#constants);
    return bias === undefined ? result : tf.add(result, bias);
  }

  maxPool(x: Tensor, pooling: Pooling): Tensor {
    return this.#pooled(firstMaximum(this.#tf, this.#windows(x, pooling)), pooling);
  }

  averagePool(x: Tensor, pooling: Pooling): Tensor {
    return this.#pooled(this.#mean(this.#windows(x, pooling), [1]), pooling);
  }

  groupNorm(x: Tensor, weight: Tensor, bias: Tensor, { channels, height, width }: ImageShape, groups: number): Tensor {
    const tf = this.#tf;
    const split = tf.reshape(x, [-1, height * width, groups, channels / groups]);
    const normal = this.#standardised(split, [1, 3]);
    return tf.add(tf.mul(tf.reshape(normal, [-1, height, width, channels]), weight), bias);
  }

  flatten(x: Tensor, { channels, height, width }: ImageShape): Tensor {
    return this.#tf.reshape(this.#tf.transpose(x, [0, 3, 1, 2]), [-1, channels * height * width]);
  }

  globalMean(x: Tensor): Tensor {
    return this.#tf.reshape(this.#mean(x, [1, 2]), [-1, x.shape[3] as number]);
  }

  sequence(x: Tensor, steps: number, channels: number): Tensor {
    return this.#from(x, this.#tf.transpose(this.#tf.reshape(x, [-1, steps, channels]), [1, 0, 2]));
  }

  lstm(x: Tensor, { inputWeight, hiddenWeight, inputBias, hiddenBias }: LstmWeights<Tensor>, steps: number): Tensor {
    const tf = this.#tf;
    const [, batch, channels] = x.shape as [number, number, number];
    const hidden = hiddenWeight.shape[1] as number;
    const flat = this.#from(x, tf.reshape(x, [steps * batch, channels]));
    const rows = productWithTransposed(tf, flat, inputWeight, this.#constants);
    const inputs = tf.split(tf.add(rows, tf.add(inputBias, hiddenBias)), steps, 0);
    // Transposed once for all steps.
    const recurrent = tf.transpose(hiddenWeight);
    let h: Tensor | undefined;
    let cell: Tensor | undefined;
    const outputs: Tensor[] = [];
    for (const input of inputs) {
      const gates: Tensor = h === undefined ? input : tf.add(input, product(tf, h, recurrent));
      const [i, f, g, o] = tf.split(gates, 4, 1) as [Tensor, Tensor, Tensor, Tensor];
      const fresh: Tensor = tf.mul(tf.sigmoid(i), tf.tanh(g));
      cell = cell === undefined ? fresh : tf.add(tf.mul(tf.sigmoid(f), cell), fresh);
      h = tf.mul(tf.sigmoid(o), tf.tanh(cell));
      outputs.push(h);
    }
    return tf.reshape(tf.concat(outputs, 0), [steps, batch, hidden]);
  }

  sequenceDropout(x: Tensor, layer: DropoutLayer, steps: number): Tensor {
    const mask = this.#masks.get(layer.name);
    return mask === undefined ? x : this.#tf.mul(x, this.sequence(mask, steps, layer.width / steps));
  }

  lastStep(x: Tensor, steps: number, width: number): Tensor {
    return this.#tf.reshape(this.#tf.slice(x, [steps - 1, 0, 0], [1, -1, -1]), [-1, width]);
  }

  embedding(ids: Tensor, table: Tensor): Tensor {
    return chooseRows(this.#tf, table, this.#tf.cast(this.#tf.reshape(ids, [-1]), "int32"));
  }

  addPositions(x: Tensor, table: Tensor, length: number, width: number): Tensor {
    const rows = this.#tf.add(this.#tf.reshape(x, [-1, length, width]), table);
    return this.#tf.reshape(rows, [-1, width]);
  }

  layerNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
    return this.#tf.add(this.#tf.mul(this.#standardised(x, [1]), weight), bias);
  }

  attention(x: Tensor, ids: Tensor, { length, heads, width }: AttentionShape): Tensor {
    const tf = this.#tf;
    const size = width / heads;
    const [query, key, value] = tf
      .split(x, 3, 1)
      .map((part) => tf.transpose(tf.reshape(part, [-1, length, heads, size]), [0, 2, 1, 3])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const scores = tf.mul(product(tf, query, tf.transpose(key, [0, 1, 3, 2])), 1 / Math.sqrt(size));
    const padding = tf.mul(tf.sub(1, this.#present(ids)), MASKED_SCORE);
    const weights = tf.softmax(tf.add(scores, tf.reshape(padding, [-1, 1, 1, length])));
    return tf.reshape(tf.transpose(product(tf, weights, value), [0, 2, 1, 3]), [-1, width]);
  }

  meanOverTokens(x: Tensor, ids: Tensor, length: number, width: number): Tensor {
    const tf = this.#tf;
    const present = this.#present(ids);
    const count = tf.maximum(tf.sum(present, 1, true), 1);
    const sum = tf.sum(tf.mul(tf.reshape(x, [-1, length, width]), tf.reshape(present, [-1, length, 1])), 1);
    return tf.mul(sum, tf.div(1, count));
  }

  /** What is made of a constant alone is constant. */
  #from(source: Tensor, result: Tensor): Tensor {
    if (this.#constants.has(source)) this.#constants.add(result);
    return result;
  }

  /** 1 for tokens, 0 for padding. */
  #present(ids: Tensor): Tensor {
    return this.#tf.cast(this.#tf.notEqual(ids, 0), "float32");
  }

  #standardised(x: Tensor, axes: number[]): Tensor {
    const tf = this.#tf;
    const deviation = tf.sub(x, this.#mean(x, axes));
    const variance = this.#mean(tf.mul(deviation, deviation), axes);
    return tf.mul(deviation, tf.rsqrt(tf.add(variance, NORM_EPSILON)));
  }

  /** Keeps the axes, with extent 1. */
  #mean(x: Tensor, axes: number[]): Tensor {
    const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
    return this.#tf.mul(this.#tf.sum(x, axes, true), 1 / count);
  }

  /** One row for each window and channel; within it the window in reading order. */
  #windows(x: Tensor, { input, output, size: [vertical, horizontal] }: Pooling): Tensor {
    const tf = this.#tf;
    const [rows, columns] = [output.height * vertical, output.width * horizontal];
    const whole = rows === input.height && columns === input.width;
    const covered = whole ? x : tf.slice(x as Tensor4D, [0, 0, 0, 0], [-1, rows, columns, -1]);
    const cut = tf.reshape(covered, [-1, output.height, vertical, output.width, horizontal, input.channels]);
    return tf.reshape(tf.transpose(cut, [0, 1, 3, 5, 2, 4]), [-1, vertical * horizontal]);
  }

  #pooled(values: Tensor, { output: { height, width, channels } }: Pooling): Tensor {
    return this.#tf.reshape(values, [-1, height, width, channels]);
  }
}
