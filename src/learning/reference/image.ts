// SPDX-License-Identifier: Apache-2.0

/** Images as [sample, channel, row, column]. */

import type { Convolution, ImageShape, Pooling } from "../operations.ts";
import { addAt, at, type Cell, type ReferenceTape } from "./cell.ts";
import { pick } from "./dense.ts";

function indexOf({ channels, height, width }: ImageShape, b: number, c: number, row: number, column: number): number {
  return ((b * channels + c) * height + row) * width + column;
}

function valuesOf({ channels, height, width }: ImageShape): number {
  return channels * height * width;
}

/** Calls back with every position of an image of that shape. */
function eachPixel(
  shape: ImageShape,
  samples: number,
  visit: (b: number, c: number, row: number, column: number) => void,
): void {
  for (let b = 0; b < samples; b++)
    for (let c = 0; c < shape.channels; c++)
      for (let row = 0; row < shape.height; row++)
        for (let column = 0; column < shape.width; column++) visit(b, c, row, column);
}

export function convolve(
  tape: ReferenceTape,
  x: Cell,
  weight: Cell,
  bias: Cell | undefined,
  { input, output, kernel, stride, padding }: Convolution,
): Cell {
  const samples = x.data.length / valuesOf(input);
  const y = new Float64Array(samples * valuesOf(output));
  /** Calls back with the indices of every product w·x that goes into one output. */
  const eachProduct = (
    [b, o, row, column]: readonly [number, number, number, number],
    visit: (w: number, x: number) => void,
  ): void => {
    for (let c = 0; c < input.channels; c++)
      for (let i = 0; i < kernel[0]; i++)
        for (let j = 0; j < kernel[1]; j++) {
          const [r, k] = [row * stride[0] + i - padding[0], column * stride[1] + j - padding[1]];
          if (r < 0 || r >= input.height || k < 0 || k >= input.width) continue;
          visit(((o * input.channels + c) * kernel[0] + i) * kernel[1] + j, indexOf(input, b, c, r, k));
        }
  };
  eachPixel(output, samples, (b, o, row, column) => {
    let sum = bias === undefined ? 0 : at(bias.data, o);
    eachProduct([b, o, row, column], (w, i) => {
      sum += at(weight.data, w) * at(x.data, i);
    });
    y[indexOf(output, b, o, row, column)] = sum;
  });
  return tape.record(y, ({ gradient }) => {
    eachPixel(output, samples, (b, o, row, column) => {
      const d = at(gradient, indexOf(output, b, o, row, column));
      if (bias !== undefined) addAt(bias.gradient, o, d);
      eachProduct([b, o, row, column], (w, i) => {
        addAt(weight.gradient, w, d * at(x.data, i));
        addAt(x.gradient, i, d * at(weight.data, w));
      });
    });
  });
}

/** The indices in a window, in reading order. */
function windowOf({ input, size }: Pooling, b: number, c: number, row: number, column: number): number[] {
  const indices: number[] = [];
  for (let i = 0; i < size[0]; i++)
    for (let j = 0; j < size[1]; j++) indices.push(indexOf(input, b, c, row * size[0] + i, column * size[1] + j));
  return indices;
}

export function maxPool(tape: ReferenceTape, x: Cell, pooling: Pooling): Cell {
  const largest: number[] = [];
  eachPixel(pooling.output, x.data.length / valuesOf(pooling.input), (b, c, row, column) => {
    const window = windowOf(pooling, b, c, row, column);
    largest.push(window.reduce((best, index) => (at(x.data, index) > at(x.data, best) ? index : best)));
  });
  return pick(tape, x, largest);
}

export function averagePool(tape: ReferenceTape, x: Cell, pooling: Pooling): Cell {
  const windows: number[][] = [];
  eachPixel(pooling.output, x.data.length / valuesOf(pooling.input), (b, c, row, column) => {
    windows.push(windowOf(pooling, b, c, row, column));
  });
  return meansOf(tape, x, windows);
}

export function globalMean(tape: ReferenceTape, x: Cell, shape: ImageShape): Cell {
  const pixels = shape.height * shape.width;
  const windows = Array.from({ length: x.data.length / pixels }, (_, i) =>
    Array.from({ length: pixels }, (__, p) => i * pixels + p),
  );
  return meansOf(tape, x, windows);
}

function meansOf(tape: ReferenceTape, x: Cell, windows: readonly (readonly number[])[]): Cell {
  const means = windows.map((window) => window.reduce((sum, index) => sum + at(x.data, index), 0) / window.length);
  return tape.record(Float64Array.from(means), ({ gradient }) => {
    windows.forEach((window, i) => {
      for (const index of window) addAt(x.gradient, index, at(gradient, i) / window.length);
    });
  });
}
