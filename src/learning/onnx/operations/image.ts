// SPDX-License-Identifier: Apache-2.0

/**
 * Images lie channel by channel, pixel by pixel, the samples of the batch innermost: [channels, pixels, batch]. Patches are then gathered and
 * windows split by copying whole rows of the batch, which is several times faster than the runtime's own pooling with indices, and a
 * convolution is one matrix product over the whole batch, forward and backward.
 */

import type { Convolution, ImageShape, Pooling } from "../../operations.ts";
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

/** With X̂ the gathered patches, [input channels · kernel, pixels · batch]: Y = W·X̂ + b, dW = dY·X̂ᵀ, dX̂ = Wᵀ·dY, and dX sums what was gathered. */
export function convolve(
  tape: Tape,
  x: Variable,
  weight: Variable,
  bias: Variable | undefined,
  convolution: Convolution,
): Variable {
  const { graph } = tape;
  const { input, output, kernel } = convolution;
  const window = kernel[0] * kernel[1];
  const sources = patchSources(convolution);
  const matrix = graph.apply("Reshape", [weight.value, graph.integers([output.channels, input.channels * window])]);
  const patches = graph.apply("Reshape", [
    gatherPixels(tape, x.value, sources, pixelsOf(input)),
    graph.integers([input.channels * window, -1]),
  ]);
  const operands = [matrix, patches];
  if (bias !== undefined) operands.push(graph.apply("Reshape", [bias.value, graph.integers([output.channels, 1])]));
  const y = graph.apply("Reshape", [
    graph.apply("Gemm", operands),
    graph.integers([output.channels, pixelsOf(output), -1]),
  ]);
  return tape.record(y, [x, weight, ...(bias === undefined ? [] : [bias])], (dy) => {
    const flat = graph.apply("Reshape", [dy, graph.integers([output.channels, -1])]);
    if (bias !== undefined)
      tape.contribute(bias, () => graph.apply("ReduceSum", [flat, graph.integers([1])], { keepdims: { integer: 0 } }));
    tape.contribute(weight, () =>
      graph.apply("Reshape", [
        graph.apply("Gemm", [flat, patches], { transB: { integer: 1 } }),
        graph.integers([output.channels, input.channels, ...kernel]),
      ]),
    );
    tape.contribute(x, () => {
      const { order, most } = copiesBySource(sources, pixelsOf(input));
      // Where a pixel has fewer copies than others the rest is read from an output pixel of zeros, put in while the values are few.
      const gaps = order.includes(-1);
      const pixels = pixelsOf(output) + (gaps ? 1 : 0);
      const extended = gaps
        ? graph.apply("Reshape", [withZeroPixel(graph, dy), graph.integers([output.channels, -1])])
        : flat;
      const copies = graph.apply("Reshape", [
        graph.apply("Gemm", [matrix, extended], { transA: { integer: 1 } }),
        graph.integers([input.channels, window * pixels, -1]),
      ]);
      const places = order.map((copy) =>
        copy === -1 ? pixels - 1 : Math.floor(copy / pixelsOf(output)) * pixels + (copy % pixelsOf(output)),
      );
      return sumGroups(tape, gatherPixels(tape, copies, places, window * pixels), most, input);
    });
  });
}

/**
 * A knock-out tournament of the window's values, in which the earlier one wins a tie; the gradient takes the winners' way back. (The
 * runtime's MaxPool with indices and MaxUnpool take about five times as long.)
 */
export function maxPool(tape: Tape, x: Variable, pooling: Pooling): Variable {
  const { graph } = tape;
  const matches: Match[] = windowValues(tape, x.value, pooling).map((value) => ({ value }));
  let alive = matches.map((_, index) => index);
  while (alive.length > 1) {
    const next: number[] = [];
    for (let i = 0; i < alive.length; i += 2) {
      const [left, right] = [alive[i] as number, alive[i + 1]];
      if (right === undefined) next.push(left);
      else {
        const value = graph.apply("Max", [(matches[left] as Match).value, (matches[right] as Match).value]);
        next.push(matches.push({ value, players: [left, right] }) - 1);
      }
    }
    alive = next;
  }
  const last = alive[0] as number;
  return tape.record((matches[last] as Match).value, [x], (dy) =>
    tape.contribute(x, () => {
      const gradients: Value[] = [];
      gradients[last] = dy;
      for (let m = matches.length - 1; m >= windowSize(pooling); m--) {
        const [left, right] = (matches[m] as Required<Match>).players;
        const leftWins = graph.apply("GreaterOrEqual", [
          (matches[left] as Match).value,
          (matches[right] as Match).value,
        ]);
        const gradient = gradients[m] as Value;
        gradients[left] = graph.apply("Mul", [gradient, graph.apply("Cast", [leftWins], { to: { integer: 1 } })]);
        gradients[right] = graph.apply("Sub", [gradient, gradients[left]]);
      }
      const joined = graph.apply("Concat", gradients.slice(0, windowSize(pooling)), { axis: { integer: 1 } });
      // Windows do not overlap: a pixel has one copy or none.
      const { order } = copiesBySource(windowSources(pooling), pixelsOf(pooling.input));
      return gatherPixels(tape, joined, order, windowSources(pooling).length);
    }),
  );
}

/** One value of the tournament: a pixel of the window, or the larger of two earlier values. */
interface Match {
  readonly value: Value;
  readonly players?: readonly [number, number];
}

export function averagePool(tape: Tape, x: Variable, pooling: Pooling): Variable {
  const { graph } = tape;
  const { input, output } = pooling;
  const size = windowSize(pooling);
  const windows = graph.apply("Reshape", [
    gatherPixels(tape, x.value, windowSources(pooling), pixelsOf(input)),
    graph.integers([input.channels, size, -1]),
  ]);
  const mean = graph.apply("ReduceMean", [windows], { axes: { integers: [1] }, keepdims: { integer: 0 } });
  const y = graph.apply("Reshape", [mean, graph.integers([output.channels, pixelsOf(output), -1])]);
  return tape.record(y, [x], (dy) =>
    tape.contribute(x, () => {
      const share = graph.apply("Mul", [dy, graph.scalar(1 / size)]);
      const { order } = copiesBySource(windowSources(pooling), pixelsOf(input));
      const windowOf = order.map((copy) => (copy === -1 ? -1 : copy % pixelsOf(output)));
      return gatherPixels(tape, share, windowOf, pixelsOf(output));
    }),
  );
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
function patchSources({ input, output, kernel, stride, padding }: Convolution): number[] {
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

/** For each place in the window, in reading order, each window's source pixel. */
function windowSources({ input, output, size }: Pooling): number[] {
  return patchSources({ input, output, kernel: size, stride: size, padding: [0, 0] });
}

function windowSize({ size }: Pooling): number {
  return size[0] * size[1];
}

/** The windows' first values, second values, …: each [channels, windows, batch]. */
function windowValues(tape: Tape, x: Value, pooling: Pooling): Value[] {
  const gathered = gatherPixels(tape, x, windowSources(pooling), pixelsOf(pooling.input));
  return tape.graph.applyMany("Split", [gathered], windowSize(pooling), { axis: { integer: 1 } });
}

/** Copies pixels, all channels and samples alike; source −1 gives zero. */
function gatherPixels(tape: Tape, x: Value, sources: readonly number[], pixels: number): Value {
  const { graph } = tape;
  if (sources.length === pixels && sources.every((source, i) => source === i)) return x;
  const padded = sources.includes(-1) ? withZeroPixel(graph, x) : x;
  const indices = graph.integers(sources.map((source) => (source === -1 ? pixels : source)));
  return graph.apply("Gather", [padded, indices], { axis: { integer: 1 } });
}

function withZeroPixel(graph: GraphBuilder, x: Value): Value {
  return graph.apply("Pad", [x, graph.integers([0, 0, 0, 0, 1, 0])]);
}

/**
 * The adjoint of copying, as copying: each source pixel's first copy, then each one's second, …, `most` times; −1 where a pixel has fewer. Summing
 * what is gathered in this order scatters nothing, so the order of the additions is fixed.
 */
function copiesBySource(sources: readonly number[], pixels: number): { order: number[]; most: number } {
  const copiesOf: number[][] = Array.from({ length: pixels }, () => []);
  sources.forEach((source, copy) => copiesOf[source]?.push(copy));
  const most = Math.max(1, ...copiesOf.map(({ length }) => length));
  const order = Array.from({ length: most }, (_, n) => copiesOf.map((list) => list[n] ?? -1)).flat();
  return { order, most };
}

/** [channels, count · pixels, batch] → [channels, pixels, batch]. */
function sumGroups(tape: Tape, x: Value, count: number, { channels, ...extents }: ImageShape): Value {
  if (count === 1) return x;
  const { graph } = tape;
  const terms = graph.apply("Reshape", [x, graph.integers([channels, count, -1])]);
  const sums = graph.apply("ReduceSum", [terms, graph.integers([1])], { keepdims: { integer: 0 } });
  return graph.apply("Reshape", [sums, graph.integers([channels, extents.height * extents.width, -1])]);
}
