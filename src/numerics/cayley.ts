// SPDX-License-Identifier: Apache-2.0

/**
 * The Cayley transform Q = (I − A/2)⁻¹(I + A/2) of a skew-symmetric A: a rotation, smooth in A, and I for A = 0.
 *
 * @param skew A, n × n, row-major, A = −Aᵀ exactly.
 * @throws RangeError when A is not skew-symmetric, whose transform would not be orthogonal.
 */
export function cayley(skew: Float64Array, n: number): Float64Array {
  if (skew.length !== n * n) throw new RangeError(`${skew.length} values are no ${n} × ${n} matrix.`);
  const left = new Float64Array(n * n);
  const right = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const value = skew[i * n + j] as number;
      if (value !== -(skew[j * n + i] as number)) throw new RangeError(`Not skew-symmetric at (${i}, ${j}).`);
      left[i * n + j] = (i === j ? 1 : 0) - value / 2;
      right[i * n + j] = (i === j ? 1 : 0) + value / 2;
    }
  eliminate(left, right, n);
  return right;
}

/**
 * Replaces `right` by left⁻¹·right, by Gauss–Jordan elimination. Without pivots: the symmetric part of I − A/2 is I, so that of every
 * Schur complement stays positive definite and no pivot falls below 1.
 */
function eliminate(left: Float64Array, right: Float64Array, n: number): void {
  for (let k = 0; k < n; k++) {
    const pivot = left[k * n + k] as number;
    for (let j = 0; j < n; j++) {
      left[k * n + j] = (left[k * n + j] as number) / pivot;
      right[k * n + j] = (right[k * n + j] as number) / pivot;
    }
    for (let i = 0; i < n; i++) {
      const factor = left[i * n + k] as number;
      if (i === k || factor === 0) continue;
      for (let j = 0; j < n; j++) {
        left[i * n + j] = (left[i * n + j] as number) - factor * (left[k * n + j] as number);
        right[i * n + j] = (right[i * n + j] as number) - factor * (right[k * n + j] as number);
      }
    }
  }
}
