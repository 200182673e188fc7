// SPDX-License-Identifier: Apache-2.0
import { NORM_EPSILON } from "../operations.ts";
import { addAt, at, type Cell, type ReferenceTape } from "./cell.ts";

/**
 * Normalises runs of `count` consecutive values to mean 0 and variance 1, then scales and shifts the value at i by the parameters of
 * `parameterOf(i)`. Layer norm: runs are rows. Group norm: a sample's channels of one group are consecutive.
 */
export function normalise(
  tape: ReferenceTape,
  x: Cell,
  weight: Cell,
  bias: Cell,
  count: number,
  parameterOf: (index: number) => number,
): Cell {
  const normal = new Float64Array(x.data.length);
  const deviations: number[] = [];
  for (let start = 0; start < x.data.length; start += count) {
    const run = x.data.subarray(start, start + count);
    const mean = run.reduce((sum, value) => sum + value, 0) / count;
    const variance = run.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    const deviation = Math.sqrt(variance + NORM_EPSILON);
    deviations.push(deviation);
    run.forEach((value, i) => (normal[start + i] = (value - mean) / deviation));
  }
  const y = normal.map((value, i) => value * at(weight.data, parameterOf(i)) + at(bias.data, parameterOf(i)));
  return tape.record(y, ({ gradient }) => {
    for (const [run, deviation] of deviations.entries()) {
      let [level, slope] = [0, 0];
      for (let i = run * count; i < (run + 1) * count; i++) {
        const d = at(gradient, i);
        addAt(bias.gradient, parameterOf(i), d);
        addAt(weight.gradient, parameterOf(i), d * at(normal, i));
        level += (d * at(weight.data, parameterOf(i))) / count;
        slope += (d * at(weight.data, parameterOf(i)) * at(normal, i)) / count;
      }
      for (let i = run * count; i < (run + 1) * count; i++) {
        const inner = at(gradient, i) * at(weight.data, parameterOf(i));
        addAt(x.gradient, i, (inner - level - at(normal, i) * slope) / deviation);
      }
    }
  });
}
