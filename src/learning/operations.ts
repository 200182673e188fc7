// SPDX-License-Identifier: Apache-2.0

/**
 * The differentiable operations that models are written in (src/learning/models). An architecture's forward pass is one program over them; a
 * backend gives them meaning: the ONNX tape emits operators and their backward passes, the float64 reference computes them in plain loops.
 *
 * Values are opaque and belong to a backend. The comments give each value's meaning per sample; *rows* are a matrix with one or several
 * rows per sample (`length` of them for token sequences), sample after sample.
 */

/** Extents of one sample of an image-shaped value. A signal over time is an image of height 1. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A two-dimensional cross-correlation as in `torch.nn.Conv2d`; pairs are [vertical, horizontal]. */
export interface Convolution {
  readonly input: ImageShape;
  readonly output: ImageShape;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** Pooling over windows that do not overlap; rows and columns that fill no window are left out, as in PyTorch. */
export interface Pooling {
  readonly input: ImageShape;
  readonly output: ImageShape;
  readonly size: readonly [number, number];
}

export interface AttentionShape {
  /** Tokens per sample. */
  readonly length: number;
  readonly heads: number;
  /** Width of the model: heads × width of a head. */
  readonly width: number;
}

/** A place where units are dropped: the mask of that name has `width` values per sample (0, or 1/(1 − rate)). */
export interface DropoutLayer {
  readonly name: string;
  readonly width: number;
  readonly rate: number;
}

export interface LstmWeights<V> {
  /** [4·hidden, channels], gates in PyTorch's order: input, forget, cell, output. */
  readonly inputWeight: V;
  /** [4·hidden, hidden]. */
  readonly hiddenWeight: V;
  readonly inputBias: V;
  readonly hiddenBias: V;
}

export type Activation = "relu" | "tanh";

export interface Operations<V> {
  /** A tensor of the layout, by name. */
  parameter(name: string): V;

  /** Rows x·Wᵀ + b, W [outputs, inputs]. */
  linear(x: V, weight: V, bias: V): V;
  /** Element by element; the derivative of ReLU at 0 is 0. */
  activate(kind: Activation, x: V): V;
  add(a: V, b: V): V;
  /** Rows of `rowWidth` values times the layer's mask; the same value where the call has no masks. */
  dropout(x: V, layer: DropoutLayer, rowWidth: number): V;

  /** One row per sample, channel after channel → image. */
  image(x: V, shape: ImageShape): V;
  /** Kernel [output channels, input channels, vertical, horizontal]. */
  convolve(x: V, weight: V, bias: V | undefined, convolution: Convolution): V;
  /** Among equal values the first in reading order gets the gradient. */
  maxPool(x: V, pooling: Pooling): V;
  averagePool(x: V, pooling: Pooling): V;
  /** Wu & He 2018: per sample and group of channels to mean 0 and (biased) variance 1, then scale and shift per channel. */
  groupNorm(x: V, weight: V, bias: V, shape: ImageShape, groups: number): V;
  /** Image → one row per sample, channel after channel. */
  flatten(x: V, shape: ImageShape): V;
  /** Image → one row per sample: each channel's mean. */
  globalMean(x: V, shape: ImageShape): V;

  /** One row per sample, step after step → sequence. */
  sequence(x: V, steps: number, channels: number): V;
  /** One LSTM layer from zero states: sequence → the sequence of its hidden states. */
  lstm(x: V, weights: LstmWeights<V>, steps: number): V;
  /** A sequence times the layer's mask, which lists a sample's values step after step. */
  sequenceDropout(x: V, layer: DropoutLayer, steps: number): V;
  /** Sequence → one row per sample. */
  lastStep(x: V, steps: number, width: number): V;

  /** Token ids, one row per sample → rows of `width` values, `length` per sample. The table has one for each token of the vocabulary. */
  embedding(ids: V, table: V, width: number, vocabulary: number): V;
  /** Adds row t of the table to every sample's t-th row. */
  addPositions(x: V, table: V, length: number, width: number): V;
  /** Each row to mean 0 and (biased) variance 1, then scale and shift. */
  layerNorm(x: V, weight: V, bias: V): V;
  /** Softmax attention over each sample's tokens, keys with id 0 left out. Rows hold query, key and value side by side, heads within them. */
  attention(x: V, ids: V, shape: AttentionShape): V;
  /** Rows → one row per sample: the mean over tokens whose id is not 0 (a zero row if there are none). */
  meanOverTokens(x: V, ids: V, length: number, width: number): V;
}

/** Added to the variance in layer and group norm, as in PyTorch. */
export const NORM_EPSILON = 1e-5;
/** Added to attention scores of padding keys: their weight underflows to exactly 0. */
export const MASKED_SCORE = -1e9;
