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
import { at, type Cell, type ReferenceTape } from "./cell.ts";
import * as dense from "./dense.ts";
import * as image from "./image.ts";
import { normalise } from "./normalisation.ts";
import * as recurrent from "./recurrent.ts";
import * as tokens from "./tokens.ts";

/** The operations in plain float64 loops: slow, obvious, and what every engine is compared with. */
export class ReferenceOperations implements Operations<Cell> {
  readonly #tape: ReferenceTape;
  readonly #parameters: ReadonlyMap<string, Cell>;
  readonly #masks: Readonly<Record<string, ArrayLike<number>>>;

  constructor(
    tape: ReferenceTape,
    parameters: ReadonlyMap<string, Cell>,
    masks: Readonly<Record<string, ArrayLike<number>>>,
  ) {
    this.#tape = tape;
    this.#parameters = parameters;
    this.#masks = masks;
  }

  parameter(name: string): Cell {
    const cell = this.#parameters.get(name);
    if (cell === undefined) throw new Error(`The layout has no tensor "${name}".`);
    return cell;
  }

  linear(x: Cell, weight: Cell, bias: Cell): Cell {
    return dense.linear(this.#tape, x, weight, bias);
  }

  activate(kind: Activation, x: Cell): Cell {
    return dense.activate(this.#tape, kind, x);
  }

  add(a: Cell, b: Cell): Cell {
    return dense.add(this.#tape, a, b);
  }

  dropout(x: Cell, { name }: DropoutLayer): Cell {
    const mask = this.#masks[name];
    return mask === undefined ? x : dense.masked(this.#tape, x, mask);
  }

  // Images and sequences are kept sample after sample, as they come.
  image(x: Cell): Cell {
    return x;
  }

  convolve(x: Cell, weight: Cell, bias: Cell | undefined, convolution: Convolution): Cell {
    return image.convolve(this.#tape, x, weight, bias, convolution);
  }

  maxPool(x: Cell, pooling: Pooling): Cell {
    return image.maxPool(this.#tape, x, pooling);
  }

  averagePool(x: Cell, pooling: Pooling): Cell {
    return image.averagePool(this.#tape, x, pooling);
  }

  groupNorm(x: Cell, weight: Cell, bias: Cell, { channels, height, width }: ImageShape, groups: number): Cell {
    const pixels = height * width;
    const channelOf = (index: number): number => Math.floor(index / pixels) % channels;
    return normalise(this.#tape, x, weight, bias, (channels / groups) * pixels, channelOf);
  }

  flatten(x: Cell): Cell {
    return x;
  }

  globalMean(x: Cell, shape: ImageShape): Cell {
    return image.globalMean(this.#tape, x, shape);
  }

  sequence(x: Cell): Cell {
    return x;
  }

  lstm(x: Cell, weights: LstmWeights<Cell>, steps: number): Cell {
    return recurrent.lstm(this.#tape, x, weights, steps);
  }

  sequenceDropout(x: Cell, layer: DropoutLayer): Cell {
    return this.dropout(x, layer);
  }

  lastStep(x: Cell, steps: number, width: number): Cell {
    const last = Array.from({ length: x.data.length / steps }, (_, i) => {
      const [b, k] = [Math.floor(i / width), i % width];
      return (b * steps + steps - 1) * width + k;
    });
    return dense.pick(this.#tape, x, last);
  }

  embedding(ids: Cell, table: Cell, width: number): Cell {
    const values = Array.from({ length: ids.data.length * width }, (_, i) => {
      return at(ids.data, Math.floor(i / width)) * width + (i % width);
    });
    return dense.pick(this.#tape, table, values);
  }

  addPositions(x: Cell, table: Cell, length: number, width: number): Cell {
    const rows = Array.from({ length: x.data.length }, (_, i) => i % (length * width));
    return dense.add(this.#tape, x, dense.pick(this.#tape, table, rows));
  }

  layerNorm(x: Cell, weight: Cell, bias: Cell): Cell {
    const width = bias.data.length;
    return normalise(this.#tape, x, weight, bias, width, (index) => index % width);
  }

  attention(x: Cell, ids: Cell, shape: AttentionShape): Cell {
    return tokens.attention(this.#tape, x, ids, shape);
  }

  meanOverTokens(x: Cell, ids: Cell, length: number, width: number): Cell {
    return tokens.meanOverTokens(this.#tape, x, ids, length, width);
  }
}
