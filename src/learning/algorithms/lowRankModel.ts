// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../layout.ts";
import type { GradientRequest, Model } from "../model.ts";

/** A weight W [rows, columns] with factors B·A, A [rank, columns] and B [rows, rank], and where all lie. */
export interface LowRankWeight {
  readonly name: string;
  /** Of W in the model's parameters. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  /** Places in the vector of factors. */
  readonly a: ParameterTensor;
  readonly b: ParameterTensor;
}

/** Factors of the given weights, one after another: A, then B. */
export function lowRankWeights(tensors: readonly ParameterTensor[], rank: number): readonly LowRankWeight[] {
  let offset = 0;
  const place = (name: string, shape: readonly [number, number]): ParameterTensor => {
    const size = shape[0] * shape[1];
    offset += size;
    return { name, shape, offset: offset - size, size, head: false };
  };
  return tensors.map(({ name, shape, offset: at }) => {
    const [rows, columns] = shape as [number, number];
    const a = place(`${name}.A`, [rank, columns]);
    const b = place(`${name}.B`, [rows, rank]);
    return { name, offset: at, rows, columns, rank, a, b };
  });
}

/** parameters ← parameters + scale·B·A at every weight. */
export function addProducts(
  parameters: Float32Array,
  factors: Float32Array,
  weights: readonly LowRankWeight[],
  scale: number,
): void {
  for (const { offset, rows, columns, rank, a, b } of weights) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < rank; k++)
          sum += (factors[b.offset + i * rank + k] as number) * (factors[a.offset + k * columns + j] as number);
        const place = offset + i * columns + j;
        parameters[place] = (parameters[place] as number) + scale * sum;
      }
    }
  }
}

/**
 * A model whose parameters are the factors: W = base + scale·B·A, with ∂B = scale·∂W·Aᵀ and ∂A = scale·Bᵀ·∂W. With `trainable: "b"` A's gradient
 * is 0.
 */
export function lowRankModel(
  model: Model,
  base: Float32Array,
  weights: readonly LowRankWeight[],
  scale: number,
  trainable: "both" | "b",
): Model {
  const layout = weights.flatMap(({ a, b }) => [a, b]);
  const parameterCount = layout.reduce((sum, { size }) => sum + size, 0);
  const names = weights.map(({ name }) => name);
  const composed = (factors: Float32Array): Float32Array => {
    const parameters = base.slice();
    addProducts(parameters, factors, weights, scale);
    return parameters;
  };
  return {
    config: model.config,
    layout,
    parameterCount,
    ...(model.batchSize === undefined ? {} : { batchSize: model.batchSize }),
    forward: (factors, batch, mode) => model.forward(composed(factors), batch, mode),
    async valueAndGradient(factors, batch, request: GradientRequest, mode) {
      const inner = { ...request, trainable: names };
      const result = await model.valueAndGradient(composed(factors), batch, inner, mode);
      const gradient = new Float32Array(parameterCount);
      for (const weight of weights) factorGradient(gradient, result.gradient, factors, weight, scale, trainable);
      return { ...result, gradient };
    },
  };
}

function factorGradient(
  gradient: Float32Array,
  inner: Float32Array,
  factors: Float32Array,
  { offset, rows, columns, rank, a, b }: LowRankWeight,
  scale: number,
  trainable: "both" | "b",
): void {
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < rows; i++) {
      let toB = 0;
      const factorB = factors[b.offset + i * rank + k] as number;
      for (let j = 0; j < columns; j++) {
        const slope = inner[offset + i * columns + j] as number;
        const place = a.offset + k * columns + j;
        toB += slope * (factors[place] as number);
        if (trainable === "both") gradient[place] = (gradient[place] as number) + scale * factorB * slope;
      }
      gradient[b.offset + i * rank + k] = scale * toB;
    }
  }
}
