// SPDX-License-Identifier: Apache-2.0
import type { Activation } from "../../operations.ts";
import type { Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";

/** y = x·Wᵀ + b: dW = dyᵀ·x, db = Σ_rows dy, dx = dy·W. */
export function linear(tape: Tape, x: Variable, weight: Variable, bias: Variable): Variable {
  const { graph } = tape;
  const y = graph.apply("Gemm", [x.value, weight.value, bias.value], { transB: { integer: 1 } });
  return tape.record(y, [x, weight, bias], (dy) => {
    tape.contribute(bias, () => sumRows(tape, dy));
    tape.contribute(weight, () => graph.apply("Gemm", [dy, x.value], { transA: { integer: 1 } }));
    tape.contribute(x, () => graph.apply("Gemm", [dy, weight.value]));
  });
}

/** ReLU: dx = dy ⊙ [x > 0]. Hyperbolic tangent: dx = dy ⊙ (1 − y²). */
export function activate(tape: Tape, kind: Activation, x: Variable): Variable {
  const { graph } = tape;
  if (kind === "relu") {
    return tape.record(graph.apply("Relu", [x.value]), [x], (dy) =>
      tape.contribute(x, () => {
        const active = graph.apply("Cast", [graph.apply("Greater", [x.value, graph.scalar(0)])], {
          to: { integer: 1 },
        });
        return graph.apply("Mul", [dy, active]);
      }),
    );
  }
  const y = graph.apply("Tanh", [x.value]);
  return tape.record(y, [x], (dy) =>
    tape.contribute(x, () =>
      graph.apply("Mul", [dy, graph.apply("Sub", [graph.scalar(1), graph.apply("Mul", [y, y])])]),
    ),
  );
}

export function add(tape: Tape, a: Variable, b: Variable): Variable {
  return tape.record(tape.graph.apply("Add", [a.value, b.value]), [a, b], (dy) => {
    tape.contribute(a, () => dy);
    tape.contribute(b, () => dy);
  });
}

/** x ⊙ mask: dx = dy ⊙ mask. */
export function masked(tape: Tape, x: Variable, mask: Value): Variable {
  const { graph } = tape;
  return tape.record(graph.apply("Mul", [x.value, mask]), [x], (dy) =>
    tape.contribute(x, () => graph.apply("Mul", [dy, mask])),
  );
}

/** Another view of the same values in the same order. */
export function reshape(tape: Tape, x: Variable, to: readonly number[], back: readonly number[]): Variable {
  const { graph } = tape;
  return tape.record(graph.apply("Reshape", [x.value, graph.integers(to)]), [x], (dy) =>
    tape.contribute(x, () => graph.apply("Reshape", [dy, graph.integers(back)])),
  );
}

export function transpose(tape: Tape, x: Variable, order: readonly number[]): Variable {
  const { graph } = tape;
  const back = order.map((_, axis) => order.indexOf(axis));
  return tape.record(graph.apply("Transpose", [x.value], { perm: { integers: order } }), [x], (dy) =>
    tape.contribute(x, () => graph.apply("Transpose", [dy], { perm: { integers: back } })),
  );
}

/** Σ over the first axis. */
export function sumRows(tape: Tape, x: Value): Value {
  return tape.graph.apply("ReduceSum", [x, tape.graph.integers([0])], { keepdims: { integer: 0 } });
}
