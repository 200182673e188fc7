// SPDX-License-Identifier: Apache-2.0
import type { Pooling } from "../../operations.ts";
import type { Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { copiesBySource, gatherPixels, patchSources, pixelsOf } from "./image.ts";

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
