// SPDX-License-Identifier: Apache-2.0
import type { Activation } from "../operations.ts";
import { addAt, at, type Cell, type ReferenceTape } from "./cell.ts";

export function linear(tape: ReferenceTape, x: Cell, weight: Cell, bias: Cell): Cell {
  const outputs = bias.data.length;
  const inputs = weight.data.length / outputs;
  const rows = x.data.length / inputs;
  const y = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++)
    for (let o = 0; o < outputs; o++) {
      let sum = at(bias.data, o);
      for (let i = 0; i < inputs; i++) sum += at(weight.data, o * inputs + i) * at(x.data, r * inputs + i);
      y[r * outputs + o] = sum;
    }
  return tape.record(y, ({ gradient }) => {
    for (let r = 0; r < rows; r++)
      for (let o = 0; o < outputs; o++) {
        const d = at(gradient, r * outputs + o);
        addAt(bias.gradient, o, d);
        for (let i = 0; i < inputs; i++) {
          addAt(weight.gradient, o * inputs + i, d * at(x.data, r * inputs + i));
          addAt(x.gradient, r * inputs + i, d * at(weight.data, o * inputs + i));
        }
      }
  });
}

export function activate(tape: ReferenceTape, kind: Activation, x: Cell): Cell {
  const y = x.data.map((value) => (kind === "relu" ? Math.max(value, 0) : Math.tanh(value)));
  return tape.record(y, ({ data, gradient }) => {
    gradient.forEach((d, i) => {
      const slope = kind === "relu" ? (at(x.data, i) > 0 ? 1 : 0) : 1 - at(data, i) ** 2;
      addAt(x.gradient, i, d * slope);
    });
  });
}

export function add(tape: ReferenceTape, a: Cell, b: Cell): Cell {
  return tape.record(
    a.data.map((value, i) => value + at(b.data, i)),
    ({ gradient }) => {
      gradient.forEach((d, i) => {
        addAt(a.gradient, i, d);
        addAt(b.gradient, i, d);
      });
    },
  );
}

/** Element by element times constants. */
export function masked(tape: ReferenceTape, x: Cell, mask: ArrayLike<number>): Cell {
  return tape.record(
    x.data.map((value, i) => value * at(mask, i)),
    ({ gradient }) => {
      gradient.forEach((d, i) => addAt(x.gradient, i, d * at(mask, i)));
    },
  );
}

/** Some of x's values, by index; equal indices add up in the gradient. */
export function pick(tape: ReferenceTape, x: Cell, indices: readonly number[]): Cell {
  return tape.record(
    Float64Array.from(indices, (index) => at(x.data, index)),
    ({ gradient }) => {
      indices.forEach((index, i) => addAt(x.gradient, index, at(gradient, i)));
    },
  );
}
