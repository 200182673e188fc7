// SPDX-License-Identifier: Apache-2.0
import type {
  Activation,
  AttentionShape,
  Convolution,
  DropoutLayer,
  ImageShape,
  LstmWeights,
  Operations,
  Pooling,
} from "../operations.ts";
import type { Value } from "./graph.ts";
import * as convolution from "./operations/convolution.ts";
import * as dense from "./operations/dense.ts";
import * as image from "./operations/image.ts";
import * as normalisation from "./operations/normalisation.ts";
import * as pooling from "./operations/pooling.ts";
import * as recurrent from "./operations/recurrent.ts";
import * as tokens from "./operations/tokens.ts";
import type { Tape, Variable } from "./tape.ts";

/** The operations as ONNX operators on a tape. */
export class OnnxOperations implements Operations<Variable> {
  readonly #tape: Tape;
  readonly #parameters: ReadonlyMap<string, Variable>;
  readonly #masks: ReadonlyMap<string, Value>;

  /** @param masks by dropout layer, [batch, width]; a layer without one passes its input on. */
  constructor(tape: Tape, parameters: ReadonlyMap<string, Variable>, masks: ReadonlyMap<string, Value>) {
    this.#tape = tape;
    this.#parameters = parameters;
    this.#masks = masks;
  }

  parameter(name: string): Variable {
    const variable = this.#parameters.get(name);
    if (variable === undefined) throw new Error(`The layout has no tensor "${name}".`);
    return variable;
  }

  linear(x: Variable, weight: Variable, bias: Variable): Variable {
    return dense.linear(this.#tape, x, weight, bias);
  }

  activate(kind: Activation, x: Variable): Variable {
    return dense.activate(this.#tape, kind, x);
  }

  add(a: Variable, b: Variable): Variable {
    return dense.add(this.#tape, a, b);
  }

  dropout(x: Variable, layer: DropoutLayer, rowWidth: number): Variable {
    const mask = this.#masks.get(layer.name);
    if (mask === undefined) return x;
    const { graph } = this.#tape;
    const rows = layer.width === rowWidth ? mask : graph.apply("Reshape", [mask, graph.integers([-1, rowWidth])]);
    return dense.masked(this.#tape, x, rows);
  }

  image(x: Variable, shape: ImageShape): Variable {
    return image.image(this.#tape, x, shape);
  }

  convolve(x: Variable, weight: Variable, bias: Variable | undefined, shape: Convolution): Variable {
    return convolution.convolve(this.#tape, x, weight, bias, shape);
  }

  maxPool(x: Variable, shape: Pooling): Variable {
    return pooling.maxPool(this.#tape, x, shape);
  }

  averagePool(x: Variable, shape: Pooling): Variable {
    return pooling.averagePool(this.#tape, x, shape);
  }

  groupNorm(x: Variable, weight: Variable, bias: Variable, shape: ImageShape, groups: number): Variable {
    return normalisation.groupNorm(this.#tape, x, weight, bias, shape, groups);
  }

  flatten(x: Variable, shape: ImageShape): Variable {
    return image.flatten(this.#tape, x, shape);
  }

  globalMean(x: Variable, shape: ImageShape): Variable {
    return image.globalMean(this.#tape, x, shape);
  }

  sequence(x: Variable, steps: number, channels: number): Variable {
    return recurrent.sequence(this.#tape, x, steps, channels);
  }

  lstm(x: Variable, weights: LstmWeights<Variable>, steps: number): Variable {
    return recurrent.lstm(this.#tape, x, weights, steps);
  }

  sequenceDropout(x: Variable, layer: DropoutLayer, steps: number): Variable {
    const mask = this.#masks.get(layer.name);
    return mask === undefined ? x : recurrent.maskedSequence(this.#tape, x, mask, steps, layer.width / steps);
  }

  lastStep(x: Variable, steps: number): Variable {
    return recurrent.lastStep(this.#tape, x, steps);
  }

  embedding(ids: Variable, table: Variable, _width: number, vocabulary: number): Variable {
    return tokens.embedding(this.#tape, ids, table, vocabulary);
  }

  addPositions(x: Variable, table: Variable, length: number, width: number): Variable {
    return tokens.addPositions(this.#tape, x, table, length, width);
  }

  layerNorm(x: Variable, weight: Variable, bias: Variable): Variable {
    return normalisation.layerNorm(this.#tape, x, weight, bias);
  }

  attention(x: Variable, ids: Variable, shape: AttentionShape): Variable {
    return tokens.attention(this.#tape, x, ids, shape);
  }

  meanOverTokens(x: Variable, ids: Variable, length: number, width: number): Variable {
    return tokens.meanOverTokens(this.#tape, x, ids, length, width);
  }
}
