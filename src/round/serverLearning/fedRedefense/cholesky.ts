// SPDX-License-Identifier: Apache-2.0
import { LearningError } from "../../../learning/errors.ts";

/**
 * The lower triangle L with LLᵀ = A for a symmetric positive definite n × n matrix, row-major.
 *
 * @throws LearningError DIVERGED for a matrix that is not positive definite.
 */
export function choleskyFactor(matrix: Float64Array, n: number): Float64Array {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * n + j] as number;
      for (let k = 0; k < j; k++) rest -= (lower[i * n + k] as number) * (lower[j * n + k] as number);
      if (i === j && !(rest > 0))
        throw new LearningError(
          "DIVERGED",
          `A ridge system is not positive definite (pivot ${rest}). Take a larger ridge.`,
          {
            pivot: rest,
          },
        );
      lower[i * n + j] = i === j ? Math.sqrt(rest) : rest / (lower[j * n + j] as number);
    }
  return lower;
}

/** The x with LLᵀx = b. */
export function choleskySolve(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    let rest = x[i] as number;
    for (let k = 0; k < i; k++) rest -= (lower[i * n + k] as number) * (x[k] as number);
    x[i] = rest / (lower[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    let rest = x[i] as number;
    for (let k = i + 1; k < n; k++) rest -= (lower[k * n + i] as number) * (x[k] as number);
    x[i] = rest / (lower[i * n + i] as number);
  }
  return x;
}
