// SPDX-License-Identifier: Apache-2.0

/** Token sequences: rows of the model's width, `length` per sample. Token 0 is padding. */

import { type AttentionShape, MASKED_SCORE } from "../../operations.ts";
import type { GraphBuilder, Value } from "../graph.ts";
import type { Tape, Variable } from "../tape.ts";
import { sumRows } from "./dense.ts";

/**
 * Rows of a table. The gradient adds each token's cotangent to its row, in the order of the tokens.
 *
 * ScatterElements adds one value after another. ScatterND is twice as fast (3 against 7 ms for 4096 tokens of width 128, vocabulary 8192) but with
 * several threads two tokens may add to one row at once: its results then differ from run to run. So do both on GPUs, for which the sum is a product
 * with one row of 0 and 1 for each token of the vocabulary, a block of rows at a time, since all of them are as many as vocabulary × tokens; the
 * processor would take 200 ms for that.
 *
 * @param vocabulary rows of the table.
 */
export function embedding(tape: Tape, ids: Variable, table: Variable, vocabulary: number): Variable {
  const { graph } = tape;
  const indices = graph.apply("Cast", [graph.apply("Reshape", [ids.value, graph.integers([-1])])], {
    to: { integer: 7 },
  });
  return tape.record(graph.apply("Gather", [table.value, indices]), [table], (dy) =>
    tape.contribute(table, () => {
      if (!graph.scattersInOrder) {
        const tokens = graph.apply("Reshape", [ids.value, graph.integers([1, -1])]);
        const sums = rowBlocks(vocabulary).map((rows) => {
          const isToken = graph.apply("Equal", [graph.column(rows), tokens]);
          return graph.apply("MatMul", [graph.apply("Cast", [isToken], { to: { integer: 1 } }), dy]);
        });
        return sums.length === 1 ? (sums[0] as Value) : graph.apply("Concat", sums, { axis: { integer: 0 } });
      }
      const zeros = graph.apply("ConstantOfShape", [graph.apply("Shape", [table.value])]);
      const rows = graph.apply("Reshape", [indices, graph.integers([-1, 1])]);
      const places = graph.apply("Expand", [rows, graph.apply("Shape", [dy])]);
      return graph.apply("ScatterElements", [zeros, places, dy], { axis: { integer: 0 }, reduction: { text: "add" } });
    }),
  );
}

const BLOCK_ROWS = 256;

/** 0 … rows − 1 in consecutive blocks. */
function rowBlocks(rows: number): number[][] {
  return Array.from({ length: Math.ceil(rows / BLOCK_ROWS) }, (_, block) => {
    const first = block * BLOCK_ROWS;
    return Array.from({ length: Math.min(BLOCK_ROWS, rows - first) }, (_row, i) => first + i);
  });
}

/** x + P, P [length, width] alike for all samples. */
export function addPositions(tape: Tape, x: Variable, table: Variable, length: number, width: number): Variable {
  const { graph } = tape;
  const samples = (rows: Value): Value => graph.apply("Reshape", [rows, graph.integers([-1, length, width])]);
  const sum = graph.apply("Add", [samples(x.value), table.value]);
  return tape.record(graph.apply("Reshape", [sum, graph.integers([-1, width])]), [x, table], (dy) => {
    tape.contribute(table, () => sumRows(tape, samples(dy)));
    tape.contribute(x, () => dy);
  });
}

/**
 * Scaled dot-product attention per head (Vaswani et al. 2017): S = QKᵀ/√d_h, P = softmax(S), O = PV, padding keys left out. Backwards
 * dV = Pᵀ·dO, dP = dO·Vᵀ, dS = P⊙(dP − rowsum(dO⊙O)), dQ = dS·K/√d_h, dK = dSᵀ·Q/√d_h.
 */
export function attention(tape: Tape, x: Variable, ids: Variable, { length, heads, width }: AttentionShape): Variable {
  const { graph } = tape;
  const size = width / heads;
  const scale = graph.scalar(1 / Math.sqrt(size));
  const samples = graph.apply("Reshape", [x.value, graph.integers([-1, length, 3, heads, size])]);
  // [3, batch, heads, length, size], and each third of it [1, batch, heads, length, size].
  const parted = graph.apply("Transpose", [samples], { perm: { integers: [2, 0, 3, 1, 4] } });
  const [q, k, v] = graph.applyMany("Split", [parted], 3, { axis: { integer: 0 } }) as [Value, Value, Value];
  const queries = graph.apply("Mul", [q, scale]);
  const padding = graph.apply("Cast", [graph.apply("Equal", [ids.value, graph.scalar(0)])], { to: { integer: 1 } });
  const penalty = graph.apply("Reshape", [
    graph.apply("Mul", [padding, graph.scalar(MASKED_SCORE)]),
    graph.integers([1, -1, 1, 1, length]),
  ]);
  const scores = graph.apply("Add", [graph.apply("MatMul", [queries, swapped(graph, k)]), penalty]);
  const weights = graph.apply("Softmax", [scores], { axis: { integer: -1 } });
  const perHead = graph.apply("MatMul", [weights, v]);
  const joined = graph.apply("Transpose", [perHead], { perm: { integers: [0, 1, 3, 2, 4] } });
  const y = graph.apply("Reshape", [joined, graph.integers([-1, width])]);

  return tape.record(y, [x], (dy) =>
    tape.contribute(x, () => {
      const dyHeads = graph.apply("Reshape", [dy, graph.integers([1, -1, length, heads, size])]);
      const dO = graph.apply("Transpose", [dyHeads], { perm: { integers: [0, 1, 3, 2, 4] } });
      const dv = graph.apply("MatMul", [swapped(graph, weights), dO]);
      const dWeights = graph.apply("MatMul", [dO, swapped(graph, v)]);
      const level = graph.apply("ReduceSum", [graph.apply("Mul", [dO, perHead]), graph.integers([-1])], {
        keepdims: { integer: 1 },
      });
      const dScores = graph.apply("Mul", [weights, graph.apply("Sub", [dWeights, level])]);
      const dq = graph.apply("Mul", [graph.apply("MatMul", [dScores, k]), scale]);
      const dk = graph.apply("MatMul", [swapped(graph, dScores), queries]);
      const all = graph.apply("Concat", [dq, dk, dv], { axis: { integer: 0 } });
      const back = graph.apply("Transpose", [all], { perm: { integers: [1, 3, 0, 2, 4] } });
      return graph.apply("Reshape", [back, graph.integers([-1, 3 * width])]);
    }),
  );
}

/** Σ_t w_t·x_t with w_t = [token t is no padding] / max(number of such tokens, 1). */
export function meanOverTokens(tape: Tape, x: Variable, ids: Variable, length: number, width: number): Variable {
  const { graph } = tape;
  const present = graph.apply("Sub", [
    graph.scalar(1),
    graph.apply("Cast", [graph.apply("Equal", [ids.value, graph.scalar(0)])], { to: { integer: 1 } }),
  ]);
  const count = graph.apply("ReduceSum", [present, graph.integers([1])], { keepdims: { integer: 1 } });
  const weights = graph.apply("Div", [present, graph.apply("Max", [count, graph.scalar(1)])]);
  const samples = graph.apply("Reshape", [x.value, graph.integers([-1, length, width])]);
  const row = graph.apply("Reshape", [weights, graph.integers([-1, 1, length])]);
  const y = graph.apply("Reshape", [graph.apply("MatMul", [row, samples]), graph.integers([-1, width])]);
  return tape.record(y, [x], (dy) =>
    tape.contribute(x, () => {
      const column = graph.apply("Reshape", [weights, graph.integers([-1, length, 1])]);
      const spread = graph.apply("Mul", [column, graph.apply("Reshape", [dy, graph.integers([-1, 1, width])])]);
      return graph.apply("Reshape", [spread, graph.integers([-1, width])]);
    }),
  );
}

/** The last two axes exchanged; the runtime fuses this into the product that uses it. */
function swapped(graph: GraphBuilder, x: Value): Value {
  return graph.apply("Transpose", [x], { perm: { integers: [0, 1, 2, 4, 3] } });
}
