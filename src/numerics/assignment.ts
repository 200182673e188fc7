// SPDX-License-Identifier: Apache-2.0

/**
 * The permutation that minimises Σ_i cost[i, column(i)]: shortest augmenting paths with dual prices, O(n³).
 *
 * The identity is returned whenever nothing costs less; otherwise ties go to the lower column. To maximise, negate the costs.
 *
 * @param cost n × n, row-major, finite.
 * @returns the column of each row.
 * @throws RangeError when the size is not n² or a cost is not finite.
 * Paper: Jonker & Volgenant 1987, "A shortest augmenting path algorithm for dense and sparse linear assignment problems".
 */
export function assign(cost: Float64Array, n: number): Int32Array {
  if (cost.length !== n * n)
    throw new RangeError(`An assignment of ${n} rows needs ${n * n} costs; got ${cost.length}.`);
  if (!cost.every(Number.isFinite)) throw new RangeError("Every cost of an assignment is a finite number.");
  const rowPrice = new Float64Array(n);
  const columnPrice = new Float64Array(n);
  /** Row of each column; −1 while it is free. */
  const rowOf = new Int32Array(n).fill(-1);
  for (let row = 0; row < n; row++) augment(cost, n, row, rowPrice, columnPrice, rowOf);

  const columnOf = new Int32Array(n);
  for (let column = 0; column < n; column++) columnOf[rowOf[column] as number] = column;
  const identity = Int32Array.from({ length: n }, (_, i) => i);
  return assignmentCost(cost, n, identity) <= assignmentCost(cost, n, columnOf) ? identity : columnOf;
}

/** Σ_i cost[i, column(i)], in row order. */
export function assignmentCost(cost: Float64Array, n: number, columnOf: Int32Array): number {
  let sum = 0;
  for (let row = 0; row < n; row++) sum += cost[row * n + (columnOf[row] as number)] as number;
  return sum;
}

/** Dijkstra's search over reduced costs from `start` to the nearest free column; then prices and matches follow the path back. */
function augment(
  cost: Float64Array,
  n: number,
  start: number,
  rowPrice: Float64Array,
  columnPrice: Float64Array,
  rowOf: Int32Array,
): void {
  const distance = new Float64Array(n).fill(Infinity);
  const previous = new Int32Array(n).fill(-1);
  const done = new Uint8Array(n);
  const visited: number[] = [];
  let row = start;
  let reached = -1;
  let length = 0;
  for (;;) {
    let nearest = -1;
    for (let column = 0; column < n; column++) {
      if (done[column]) continue;
      const reduced = (cost[row * n + column] as number) - (rowPrice[row] as number) - (columnPrice[column] as number);
      if (length + reduced < (distance[column] as number)) {
        distance[column] = length + reduced;
        previous[column] = reached;
      }
      if (nearest < 0 || (distance[column] as number) < (distance[nearest] as number)) nearest = column;
    }
    reached = nearest;
    length = distance[reached] as number;
    if ((rowOf[reached] as number) < 0) break;
    done[reached] = 1;
    visited.push(reached);
    row = rowOf[reached] as number;
  }
  rowPrice[start] = (rowPrice[start] as number) + length;
  for (const column of visited) {
    const slack = length - (distance[column] as number);
    const matched = rowOf[column] as number;
    rowPrice[matched] = (rowPrice[matched] as number) + slack;
    columnPrice[column] = (columnPrice[column] as number) - slack;
  }
  for (let column = reached; column >= 0; ) {
    const before = previous[column] as number;
    rowOf[column] = before < 0 ? start : (rowOf[before] as number);
    column = before;
  }
}
