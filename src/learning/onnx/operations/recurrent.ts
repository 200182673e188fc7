// SPDX-License-Identifier: Apache-2.0

/**
 * Sequences lie step by step: [steps · batch, channels]. An LSTM is unrolled: everything that does not depend on the previous step (input
 * projections, weight gradients) is one matrix product over all steps, and each step adds one product and a few small operators each way.
 */

import type { LstmWeights } from "../../operations.ts";
import type { GraphBuilder, Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { masked, reshape, sumRows, transpose } from "./dense.ts";

export function sequence(tape: Tape, x: Variable, steps: number, channels: number): Variable {
  const samples = reshape(tape, x, [-1, steps, channels], [-1, steps * channels]);
  return reshape(tape, transpose(tape, samples, [1, 0, 2]), [-1, channels], [steps, -1, channels]);
}

/** @param mask [batch, steps · width], a sample's values step after step. */
export function maskedSequence(tape: Tape, x: Variable, mask: Value, steps: number, width: number): Variable {
  const { graph } = tape;
  const samples = graph.apply("Reshape", [mask, graph.integers([-1, steps, width])]);
  const stepwise = graph.apply("Transpose", [samples], { perm: { integers: [1, 0, 2] } });
  return masked(tape, x, graph.apply("Reshape", [stepwise, graph.integers([-1, width])]));
}

export function lastStep(tape: Tape, x: Variable, steps: number, width: number): Variable {
  const { graph } = tape;
  const stepwise = graph.apply("Reshape", [x.value, graph.integers([steps, -1, width])]);
  const last = graph.apply("Slice", [
    stepwise,
    graph.integers([steps - 1]),
    graph.integers([steps]),
    graph.integers([0]),
  ]);
  return tape.record(graph.apply("Reshape", [last, graph.integers([-1, width])]), [x], (dy) =>
    tape.contribute(x, () => {
      const step = graph.apply("Reshape", [dy, graph.integers([1, -1, width])]);
      const all = graph.apply("Pad", [step, graph.integers([steps - 1, 0, 0, 0, 0, 0])]);
      return graph.apply("Reshape", [all, graph.integers([-1, width])]);
    }),
  );
}

/** The gates and states of one step, each [batch, hidden]. */
interface Step {
  readonly input: Value;
  readonly forget: Value;
  readonly cell: Value;
  readonly output: Value;
  /** c_{t−1}; undefined in the first step, where it is zero. */
  readonly before: Value | undefined;
  /** tanh(c_t). */
  readonly squashed: Value;
  /** h_t. */
  readonly hidden: Value;
}

/**
 * i, f, o = σ(…), g = tanh(…) of x_t·W_ihᵀ + b_ih + h_{t−1}·W_hhᵀ + b_hh; c_t = f⊙c_{t−1} + i⊙g; h_t = o⊙tanh(c_t)
 * (Hochreiter & Schmidhuber 1997, with forget gates; `torch.nn.LSTM`).
 */
export function lstm(
  tape: Tape,
  x: Variable,
  { inputWeight, hiddenWeight, inputBias, hiddenBias }: LstmWeights<Variable>,
  steps: number,
): Variable {
  const { graph } = tape;
  const bias = graph.apply("Add", [inputBias.value, hiddenBias.value]);
  const projected = split(
    graph,
    graph.apply("Gemm", [x.value, inputWeight.value, bias], { transB: { integer: 1 } }),
    steps,
    0,
  );
  // Transposed once rather than inside every step's product.
  const recurrent = graph.apply("Transpose", [hiddenWeight.value], { perm: { integers: [1, 0] } });
  const unrolled: Step[] = [];
  let hidden: Value | undefined;
  let state: Value | undefined;
  for (const projection of projected) {
    const z = hidden === undefined ? projection : graph.apply("Gemm", [hidden, recurrent, projection]);
    const [zi, zf, zg, zo] = split(graph, z, 4, 1) as [Value, Value, Value, Value];
    const input = graph.apply("Sigmoid", [zi]);
    const forget = graph.apply("Sigmoid", [zf]);
    const cell = graph.apply("Tanh", [zg]);
    const output = graph.apply("Sigmoid", [zo]);
    const before = state;
    const written = graph.apply("Mul", [input, cell]);
    state = before === undefined ? written : graph.apply("Add", [graph.apply("Mul", [forget, before]), written]);
    const squashed = graph.apply("Tanh", [state]);
    hidden = graph.apply("Mul", [output, squashed]);
    unrolled.push({ input, forget, cell, output, before, squashed, hidden });
  }
  const all = stack(
    graph,
    unrolled.map((step) => step.hidden),
  );
  return tape.record(all, [x, inputWeight, hiddenWeight, inputBias, hiddenBias], (dy) => {
    const gateGradients = throughTime(graph, unrolled, hiddenWeight.value, split(graph, dy, steps, 0));
    const dz = stack(graph, gateGradients);
    let biasGradient: Value | undefined;
    for (const parameter of [inputBias, hiddenBias])
      tape.contribute(parameter, () => {
        biasGradient ??= sumRows(tape, dz);
        return biasGradient;
      });
    tape.contribute(inputWeight, () => graph.apply("Gemm", [dz, x.value], { transA: { integer: 1 } }));
    tape.contribute(hiddenWeight, () => {
      // The first step has no h_{t−1}; in a sequence of one step nothing reaches these weights.
      if (steps === 1) return graph.apply("Mul", [hiddenWeight.value, graph.scalar(0)]);
      const later = stack(graph, gateGradients.slice(1));
      const earlier = stack(
        graph,
        unrolled.slice(0, -1).map((step) => step.hidden),
      );
      return graph.apply("Gemm", [later, earlier], { transA: { integer: 1 } });
    });
    tape.contribute(x, () => graph.apply("Gemm", [dz, inputWeight.value]));
  });
}

/** Back-propagation through time: the gradient at each step's gates before their non-linearity, [batch, 4·hidden]. */
function throughTime(
  graph: GraphBuilder,
  unrolled: readonly Step[],
  hiddenWeight: Value,
  cotangents: readonly Value[],
): Value[] {
  const multiply = (a: Value, b: Value): Value => graph.apply("Mul", [a, b]);
  const minus = (a: Value, b: Value): Value => graph.apply("Sub", [a, b]);
  const one = graph.scalar(1);
  const gradients: Value[] = [];
  let dState: Value | undefined;
  for (let t = unrolled.length - 1; t >= 0; t--) {
    const { input, forget, cell, output, before, squashed, hidden } = unrolled[t] as Step;
    let dh = cotangents[t] as Value;
    const after = gradients[t + 1];
    if (after !== undefined) dh = graph.apply("Gemm", [after, hiddenWeight, dh]);
    // dh⊙h = dh⊙o⊙tanh(c) serves the output gate and, times tanh(c), the state.
    const dhh = multiply(dh, hidden);
    const dOutput = multiply(dhh, minus(one, output));
    let dc = minus(multiply(dh, output), multiply(dhh, squashed));
    if (dState !== undefined) dc = graph.apply("Add", [dc, dState]);
    const dci = multiply(dc, input);
    const dcig = multiply(dci, cell);
    const dInput = multiply(dcig, minus(one, input));
    const dCell = minus(dci, multiply(dcig, cell));
    let dForget: Value;
    if (before === undefined) dForget = multiply(dInput, graph.scalar(0));
    else {
      dState = multiply(dc, forget);
      dForget = multiply(multiply(dState, before), minus(one, forget));
    }
    gradients[t] = graph.apply("Concat", [dInput, dForget, dCell, dOutput], { axis: { integer: 1 } });
  }
  return gradients;
}

function split(graph: GraphBuilder, x: Value, pieces: number, axis: number): Value[] {
  return graph.applyMany("Split", [x], pieces, { axis: { integer: axis } });
}

function stack(graph: GraphBuilder, pieces: readonly Value[]): Value {
  return graph.apply("Concat", pieces, { axis: { integer: 0 } });
}
