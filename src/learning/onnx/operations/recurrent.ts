// SPDX-License-Identifier: Apache-2.0

/**
 * Sequences lie step by step: [steps, batch, channels]. An LSTM is unrolled: everything that does not depend on the previous step (input
 * projections, weight gradients) is one matrix product over all steps, and each step adds one product and a few small operators each way.
 *
 * Shapes are written so that the runtime can follow the batch's extent through all steps: where it cannot, it plans the memory of thousands of
 * values of unknown size, which takes seconds.
 */

import type { LstmWeights } from "../../operations.ts";
import type { GraphBuilder, Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { masked, reshape, sumRows, transpose } from "./dense.ts";

export function sequence(tape: Tape, x: Variable, steps: number, channels: number): Variable {
  const samples = reshape(tape, x, [0, steps, channels], [0, steps * channels]);
  return transpose(tape, samples, [1, 0, 2]);
}

/** @param mask [batch, steps · width], a sample's values step after step. */
export function maskedSequence(tape: Tape, x: Variable, mask: Value, steps: number, width: number): Variable {
  const { graph } = tape;
  const samples = graph.apply("Reshape", [mask, graph.integers([0, steps, width])]);
  return masked(tape, x, graph.apply("Transpose", [samples], { perm: { integers: [1, 0, 2] } }));
}

export function lastStep(tape: Tape, x: Variable, steps: number): Variable {
  const { graph } = tape;
  const first = graph.integers([0]);
  const last = graph.apply("Slice", [x.value, graph.integers([steps - 1]), graph.integers([steps]), first]);
  return tape.record(graph.apply("Squeeze", [last, first]), [x], (dy) =>
    tape.contribute(x, () => {
      const step = graph.apply("Unsqueeze", [dy, graph.integers([0])]);
      return graph.apply("Pad", [step, graph.integers([steps - 1, 0, 0, 0, 0, 0])]);
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
  const transposed = (weight: Variable): Value =>
    graph.apply("Transpose", [weight.value], { perm: { integers: [1, 0] } });
  const products = graph.apply("MatMul", [x.value, transposed(inputWeight)]);
  const projected = stepsOf(graph, graph.apply("Add", [products, bias]), steps);
  // Transposed once rather than inside every step's product.
  const recurrent = transposed(hiddenWeight);
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
  const hiddens = unrolled.map((step) => step.hidden);
  return tape.record(stack(graph, hiddens), [x, inputWeight, hiddenWeight, inputBias, hiddenBias], (dy) => {
    const gates = throughTime(graph, unrolled, hiddenWeight.value, stepsOf(graph, dy, steps));
    const dz = stack(graph, gates);
    const dzRows = rows(graph, dz);
    let biasGradient: Value | undefined;
    for (const parameter of [inputBias, hiddenBias])
      tape.contribute(parameter, () => {
        biasGradient ??= sumRows(tape, dzRows);
        return biasGradient;
      });
    tape.contribute(inputWeight, () => graph.apply("Gemm", [dzRows, rows(graph, x.value)], { transA: { integer: 1 } }));
    tape.contribute(hiddenWeight, () => {
      // The first step has no h_{t−1}; in a sequence of one step nothing reaches these weights.
      if (steps === 1) return graph.apply("Mul", [hiddenWeight.value, graph.scalar(0)]);
      const later = graph.apply("Concat", gates.slice(1), { axis: { integer: 0 } });
      const earlier = graph.apply("Concat", hiddens.slice(0, -1), { axis: { integer: 0 } });
      return graph.apply("Gemm", [later, earlier], { transA: { integer: 1 } });
    });
    tape.contribute(x, () => graph.apply("MatMul", [dz, inputWeight.value]));
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

/** [steps, batch, width] → `steps` values of [batch, width]. */
function stepsOf(graph: GraphBuilder, x: Value, steps: number): Value[] {
  const axis = graph.integers([0]);
  return split(graph, x, steps, 0).map((step) => graph.apply("Squeeze", [step, axis]));
}

/** The inverse of `stepsOf`. */
function stack(graph: GraphBuilder, pieces: readonly Value[]): Value {
  const axis = graph.integers([0]);
  const steps = pieces.map((piece) => graph.apply("Unsqueeze", [piece, axis]));
  return graph.apply("Concat", steps, { axis: { integer: 0 } });
}

/** [steps, batch, width] → [steps · batch, width]. */
function rows(graph: GraphBuilder, x: Value): Value {
  return graph.apply("Flatten", [x], { axis: { integer: 2 } });
}
