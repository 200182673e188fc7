// SPDX-License-Identifier: Apache-2.0

/** One step against a gradient: new parameters, in an array of their own. It remembers what came before; a new one begins a round. */
export type GradientStep = (parameters: Float32Array, gradient: Float32Array) => Float32Array;

export interface AdaptiveOptions {
  /** η. */
  readonly learningRate: number;
  /** ε, above 0. */
  readonly epsilon: number;
  /** What sums of squares start from. */
  readonly initialAccumulator: number;
}
