// SPDX-License-Identifier: Apache-2.0
import type { ParameterTensor } from "../layout.ts";
import type { AdaptiveOptions, GradientStep } from "./gradientStep.ts";

/** A tensor's statistics: what FedAda²++ keeps in place of one sum of squares per coordinate. */
interface Cover {
  readonly offset: number;
  readonly columns: number;
  readonly rowSums: Float64Array;
  readonly columnSums: Float64Array;
}

/**
 * SM3-II (Anil et al. 2019): a matrix keeps a number r_a for each row and c_b for each column, which bound the sums of squares below them:
 *
 *     ν_ab = min(r_a, c_b) + g_ab²     w_ab ← w_ab − η·g_ab / (√ν_ab + ε)     r_a ← max_b ν_ab     c_b ← max_a ν_ab
 *
 * A vector has one number for each coordinate, which is AdaGrad; a tensor of more dimensions is a matrix by its first. Memory is
 * O(rows + columns).
 */
export function sm3(
  { learningRate, epsilon, initialAccumulator }: AdaptiveOptions,
  layout: readonly ParameterTensor[],
): GradientStep {
  const covers = layout.map(({ offset, size, shape }): Cover => {
    const rows = shape[0] ?? 1;
    // A vector is a matrix of one column, whose own sum never binds.
    return {
      offset,
      columns: size / rows,
      rowSums: new Float64Array(rows).fill(initialAccumulator),
      columnSums: new Float64Array(size / rows).fill(shape.length < 2 ? Infinity : initialAccumulator),
    };
  });
  return (parameters, gradient) => {
    const moved = parameters.slice();
    for (const { offset, columns, rowSums, columnSums } of covers) {
      const highest = new Float64Array(columns);
      for (let a = 0; a < rowSums.length; a++) {
        const row = rowSums[a] as number;
        let most = 0;
        for (let b = 0; b < columns; b++) {
          const j = offset + a * columns + b;
          const g = gradient[j] as number;
          const column = columnSums[b] as number;
          const sum = (row < column ? row : column) + g * g;
          moved[j] = (moved[j] as number) - (learningRate * g) / (Math.sqrt(sum) + epsilon);
          if (sum > most) most = sum;
          if (sum > (highest[b] as number)) highest[b] = sum;
        }
        rowSums[a] = most;
      }
      if (columnSums[0] !== Infinity) columnSums.set(highest);
    }
    return moved;
  };
}
