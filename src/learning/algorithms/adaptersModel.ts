// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../layout.ts";
import type { GradientRequest, Model } from "../model.ts";

/** A model of which only some tensors are parameters: the others stay as they are. */
export interface PartOfModel {
  /** Its parameters are the tensors alone, one after another, so that optimiser, momentum and weight decay touch nothing else. */
  readonly model: Model;
  /** Names of the tensors, in the order of the layout. */
  readonly names: readonly string[];
  /** The tensors' values out of a vector as long as the whole model. */
  taken(whole: Float32Array): Float32Array;
  /** The whole model with these values in the tensors' places; a new array. */
  composed(part: Float32Array): Float32Array;
}

/**
 * @param base the whole model's parameters; read, not changed.
 * @param tensors of the model's layout, in its order.
 */
export function partOfModel(model: Model, base: Float32Array, tensors: readonly ParameterTensor[]): PartOfModel {
  const names = tensors.map(({ name }) => name);
  let parameterCount = 0;
  const layout = tensors.map((tensor) => {
    parameterCount += tensor.size;
    return { ...tensor, offset: parameterCount - tensor.size };
  });
  const taken = (whole: Float32Array): Float32Array => {
    const part = new Float32Array(parameterCount);
    for (const [i, { offset, size }] of tensors.entries())
      part.set(whole.subarray(offset, offset + size), (layout[i] as ParameterTensor).offset);
    return part;
  };
  const composed = (part: Float32Array): Float32Array => {
    const whole = base.slice();
    for (const [i, { offset, size }] of tensors.entries()) {
      const from = (layout[i] as ParameterTensor).offset;
      whole.set(part.subarray(from, from + size), offset);
    }
    return whole;
  };
  return {
    names,
    taken,
    composed,
    model: {
      config: model.config,
      layout,
      parameterCount,
      ...(model.batchSize === undefined ? {} : { batchSize: model.batchSize }),
      forward: (part, batch, mode) => model.forward(composed(part), batch, mode),
      async valueAndGradient(part, batch, request: GradientRequest, mode) {
        const inner = { ...request, trainable: request.trainable ?? names };
        const result = await model.valueAndGradient(composed(part), batch, inner, mode);
        return { ...result, gradient: taken(result.gradient) };
      },
    },
  };
}
