// SPDX-License-Identifier: Apache-2.0

/**
 * Images lie channel by channel, pixel by pixel, the samples of the batch innermost: [channels, pixels, batch]. Patches are then gathered and
 * windows split by copying whole rows of the batch, which is several times faster than the runtime's own pooling with indices, and a
 * convolution is one matrix product over the whole batch, forward and backward.
 */

import type { Convolution, ImageShape, Pooling } from "../../operations.ts";
import type { Value } from "../graph.ts";
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
      const patchGradient = graph.apply("Reshape", [
        graph.apply("Gemm", [matrix, flat], { transA: { integer: 1 } }),
        graph.integers([input.channels, window * pixelsOf(output), -1]),
      ]);
      return sumToSources(tape, patchGradient, sources, input);
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
      return sumToSources(tape, joined, windowSources(pooling), pooling.input);
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
      const windowOf = new Array<number>(pixelsOf(input)).fill(-1);
      windowSources(pooling).forEach((source, i) => {
        windowOf[source] = i % pixelsOf(output);
      });
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
  const padded = sources.includes(-1) ? graph.apply("Pad", [x, graph.integers([0, 0, 0, 0, 1, 0])]) : x;
  const indices = graph.integers(sources.map((source) => (source === -1 ? pixels : source)));
  return graph.apply("Gather", [padded, indices], { axis: { integer: 1 } });
}

/** The adjoint of `gatherPixels`: each source pixel gets the sum of its copies, themselves gathered, so that nothing is scattered. */
function sumToSources(
  tape: Tape,
  copies: Value,
  sources: readonly number[],
  { channels, ...extents }: ImageShape,
): Value {
  const { graph } = tape;
  const pixels = extents.height * extents.width;
  const copiesOf: number[][] = Array.from({ length: pixels }, () => []);
  sources.forEach((source, copy) => copiesOf[source]?.push(copy));
  const most = Math.max(1, ...copiesOf.map(({ length }) => length));
  const order = Array.from({ length: most }, (_, n) => copiesOf.map((list) => list[n] ?? -1)).flat();
  const gathered = gatherPixels(tape, copies, order, sources.length);
  if (most === 1) return gathered;
  const terms = graph.apply("Reshape", [gathered, graph.integers([channels, most, -1])]);
  const sums = graph.apply("ReduceSum", [terms, graph.integers([1])], { keepdims: { integer: 0 } });
  return graph.apply("Reshape", [sums, graph.integers([channels, pixels, -1])]);
}
