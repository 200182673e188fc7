// SPDX-License-Identifier: Apache-2.0
import type { Convolution, ImageShape } from "../../operations.ts";
import type { Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { copiesBySource, gatherPixels, patchSources, pixelsOf, withZeroPixel } from "./image.ts";

/**
 * With X̂ the gathered patches, [input channels · kernel, pixels · batch]: Y = W·X̂ + b, dW = dY·X̂ᵀ, dX̂ = Wᵀ·dY, and dX sums what was gathered.
 */
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

/** [channels, count · pixels, batch] → [channels, pixels, batch]. */
function sumGroups(tape: Tape, x: Value, count: number, { channels, ...extents }: ImageShape): Value {
  if (count === 1) return x;
  const { graph } = tape;
  const terms = graph.apply("Reshape", [x, graph.integers([channels, count, -1])]);
  const sums = graph.apply("ReduceSum", [terms, graph.integers([1])], { keepdims: { integer: 0 } });
  return graph.apply("Reshape", [sums, graph.integers([channels, extents.height * extents.width, -1])]);
}
