// SPDX-License-Identifier: Apache-2.0

/**
 * Layer and group norm: x̂ = (x − μ)/√(v + ε) over a group of values, y = γ⊙x̂ + β. With dx̂ = γ⊙dy and means over the group,
 *
 *     dx = (dx̂ − mean(dx̂) − x̂·mean(dx̂ ⊙ x̂)) / √(v + ε).
 *
 * There are no running statistics: what a sample gives never depends on other samples.
 */

import { type ImageShape, NORM_EPSILON } from "../../operations.ts";
import type { GraphBuilder, Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { reshape, sumRows } from "./dense.ts";

/** Rows, each normalised. */
export function layerNorm(tape: Tape, x: Variable, weight: Variable, bias: Variable): Variable {
  const { graph } = tape;
  const normal = standardise(tape, x, 1);
  const y = graph.apply("Add", [graph.apply("Mul", [normal.value, weight.value]), bias.value]);
  return tape.record(y, [normal, weight, bias], (dy) => {
    tape.contribute(bias, () => sumRows(tape, dy));
    tape.contribute(weight, () => sumRows(tape, graph.apply("Mul", [dy, normal.value])));
    tape.contribute(normal, () => graph.apply("Mul", [dy, weight.value]));
  });
}

/** Images [channels, pixels, batch], normalised per sample and group of channels. */
export function groupNorm(
  tape: Tape,
  x: Variable,
  weight: Variable,
  bias: Variable,
  { channels, height, width }: ImageShape,
  groups: number,
): Variable {
  const { graph } = tape;
  const whole = [channels, height * width, -1];
  const grouped = [groups, (channels / groups) * height * width, -1];
  const normal = reshape(tape, standardise(tape, reshape(tape, x, grouped, whole), 1), whole, grouped);
  const column = (parameter: Variable): Value =>
    graph.apply("Reshape", [parameter.value, graph.integers([channels, 1, 1])]);
  const gamma = column(weight);
  const y = graph.apply("Add", [graph.apply("Mul", [normal.value, gamma]), column(bias)]);
  const perChannel = (values: Value): Value =>
    graph.apply("ReduceSum", [values, graph.integers([1, 2])], { keepdims: { integer: 0 } });
  return tape.record(y, [normal, weight, bias], (dy) => {
    tape.contribute(bias, () => perChannel(dy));
    tape.contribute(weight, () => perChannel(graph.apply("Mul", [dy, normal.value])));
    tape.contribute(normal, () => graph.apply("Mul", [dy, gamma]));
  });
}

/** (x − μ)/√(v + ε) along an axis. */
function standardise(tape: Tape, x: Variable, axis: number): Variable {
  const { graph } = tape;
  const centred = graph.apply("Sub", [x.value, meanAlong(graph, x.value, axis)]);
  const variance = meanAlong(graph, graph.apply("Mul", [centred, centred]), axis);
  const deviation = graph.apply("Sqrt", [graph.apply("Add", [variance, graph.scalar(NORM_EPSILON)])]);
  const inverse = graph.apply("Div", [graph.scalar(1), deviation]);
  const y = graph.apply("Mul", [centred, inverse]);
  return tape.record(y, [x], (dy) =>
    tape.contribute(x, () => {
      const slope = graph.apply("Mul", [y, meanAlong(graph, graph.apply("Mul", [dy, y]), axis)]);
      const level = graph.apply("Sub", [dy, meanAlong(graph, dy, axis)]);
      return graph.apply("Mul", [graph.apply("Sub", [level, slope]), inverse]);
    }),
  );
}

function meanAlong(graph: GraphBuilder, x: Value, axis: number): Value {
  return graph.apply("ReduceMean", [x], { axes: { integers: [axis] }, keepdims: { integer: 1 } });
}
