// SPDX-License-Identifier: Apache-2.0

/**
 * Images lie channel by channel, pixel by pixel, the samples of the batch innermost: [channels, pixels, batch]. Patches are then gathered and
 * windows split by copying whole rows of the batch, which is several times faster than the runtime's own pooling with indices, and a
 * convolution is one matrix product over the whole batch, forward and backward.
 */

import type { Convolution, ImageShape } from "../../operations.ts";
import type { GraphBuilder, Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { reshape, transpose } from "./dense.ts";

export function pixelsOf({ height, width }: ImageShape): number {
  return height * width;
}

export function image(tape: Tape, x: Variable, shape: ImageShape): Variable {
  const values = shape.channels * pixelsOf(shape);
  return reshape(tape, transpose(tape, x, [1, 0]), [shape.channels, pixelsOf(shape), -1], [values, -1]);
}

export function flatten(tape: Tape, x: Variable, shape: ImageShape): Variable {
  const values = shape.channels * pixelsOf(shape);
  return transpose(tape, reshape(tape, x, [values, -1], [shape.channels, pixelsOf(shape), -1]), [1, 0]);
}

export function globalMean(tape: Tape, x: Variable, shape: ImageShape): Variable {
  const { graph } = tape;
  const mean = graph.apply("ReduceMean", [x.value], { axes: { integers: [1] }, keepdims: { integer: 0 } });
  const y = tape.record(mean, [x], (dy) =>
    tape.contribute(x, () => {
      const share = graph.apply("Mul", [dy, graph.scalar(1 / pixelsOf(shape))]);
      const column = graph.apply("Unsqueeze", [share, graph.integers([1])]);
      return graph.apply("Tile", [column, graph.integers([1, pixelsOf(shape), 1])]);
    }),
  );
  return transpose(tape, y, [1, 0]);
}

/** For each kernel position, each output pixel's source pixel in the input; −1 in the padding. */
export function patchSources({ input, output, kernel, stride, padding }: Convolution): number[] {
  const sources: number[] = [];
  for (let i = 0; i < kernel[0]; i++)
    for (let j = 0; j < kernel[1]; j++)
      for (let r = 0; r < output.height; r++)
        for (let c = 0; c < output.width; c++) {
          const row = r * stride[0] + i - padding[0];
          const column = c * stride[1] + j - padding[1];
          const inside = row >= 0 && row < input.height && column >= 0 && column < input.width;
          sources.push(inside ? row * input.width + column : -1);
        }
  return sources;
}

/** Copies pixels, all channels and samples alike; source −1 gives zero. */
export function gatherPixels(tape: Tape, x: Value, sources: readonly number[], pixels: number): Value {
  const { graph } = tape;
  if (sources.length === pixels && sources.every((source, i) => source === i)) return x;
  const padded = sources.includes(-1) ? withZeroPixel(graph, x) : x;
  const indices = graph.integers(sources.map((source) => (source === -1 ? pixels : source)));
  return graph.apply("Gather", [padded, indices], { axis: { integer: 1 } });
}

export function withZeroPixel(graph: GraphBuilder, x: Value): Value {
  return graph.apply("Pad", [x, graph.integers([0, 0, 0, 0, 1, 0])]);
}

/**
 * The adjoint of copying, as copying: each source pixel's first copy, then each one's second, …, `most` times; −1 where a pixel has fewer. Summing
 * what is gathered in this order scatters nothing, so the order of the additions is fixed.
 */
export function copiesBySource(sources: readonly number[], pixels: number): { order: number[]; most: number } {
  const copiesOf: number[][] = Array.from({ length: pixels }, () => []);
  sources.forEach((source, copy) => copiesOf[source]?.push(copy));
  const most = Math.max(1, ...copiesOf.map(({ length }) => length));
  const order = Array.from({ length: most }, (_, n) => copiesOf.map((list) => list[n] ?? -1)).flat();
  return { order, most };
}
