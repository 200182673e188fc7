// SPDX-License-Identifier: Apache-2.0

/** A = U diag(s) Vᵀ; everything row-major. */
export interface SingularValues {
  /** rows × columns, orthonormal columns. */
  readonly u: Float64Array;
  /** Descending, ≥ 0. */
  readonly s: Float64Array;
  /** columns × columns, orthogonal. */
  readonly v: Float64Array;
}

const SWEEPS = 60;
const TOLERANCE = 1e-15;

/**
 * The thin singular value decomposition of a small matrix, by one-sided Jacobi rotations (Hestenes) in float64.
 *
 * The columns of U that belong to singular values of 0 are completed to an orthonormal set.
 *
 * @param matrix rows × columns, row-major, rows ≥ columns; decompose the transpose otherwise.
 * @throws RangeError for other sizes or values that are not finite.
 */
export function svd(matrix: Float64Array, rows: number, columns: number): SingularValues {
  if (rows < columns || matrix.length !== rows * columns)
    throw new RangeError(`Not a tall matrix: ${matrix.length} values for ${rows} × ${columns}.`);
  if (!matrix.every(Number.isFinite)) throw new RangeError("Every value of a matrix to decompose is finite.");
  // Columns lie one after the other, so that a rotation reads two runs.
  const left = transpose(matrix, rows, columns);
  const right = identity(columns);
  for (let sweep = 0; sweep < SWEEPS; sweep++) if (!rotateAllPairs(left, right, rows, columns)) break;

  const lengths = Float64Array.from({ length: columns }, (_, j) => Math.sqrt(dot(left, left, j, j, rows)));
  const order = Array.from(lengths.keys()).sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const s = Float64Array.from(order, (j) => lengths[j] as number);
  const u = new Float64Array(rows * columns);
  const v = new Float64Array(columns * columns);
  for (const [k, j] of order.entries()) {
    const length = s[k] as number;
    for (let i = 0; i < rows; i++)
      u[k * rows + i] = length > TOLERANCE * (s[0] as number) ? (left[j * rows + i] as number) / length : 0;
    for (let i = 0; i < columns; i++) v[k * columns + i] = right[j * columns + i] as number;
  }
  for (let k = 0; k < columns; k++) if (!((s[k] as number) > TOLERANCE * (s[0] as number))) complete(u, k, rows);
  return { u: transpose(u, columns, rows), s, v: transpose(v, columns, columns) };
}

/**
 * The orthogonal Q that maximises tr(QᵀM), the one nearest to M: U Vᵀ (orthogonal Procrustes).
 *
 * @param matrix M, n × n.
 */
export function procrustes(matrix: Float64Array, n: number): Float64Array {
  const { u, v } = svd(matrix, n, n);
  const q = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += (u[i * n + k] as number) * (v[j * n + k] as number);
      q[i * n + j] = sum;
    }
  return q;
}

/** One sweep: makes each pair of columns orthogonal. Whether any pair was not. */
function rotateAllPairs(left: Float64Array, right: Float64Array, rows: number, columns: number): boolean {
  let rotated = false;
  for (let p = 0; p < columns - 1; p++)
    for (let q = p + 1; q < columns; q++) {
      const alpha = dot(left, left, p, p, rows);
      const beta = dot(left, left, q, q, rows);
      const gamma = dot(left, left, p, q, rows);
      if (gamma === 0 || Math.abs(gamma) <= TOLERANCE * Math.sqrt(alpha * beta)) continue;
      rotated = true;
      const zeta = (beta - alpha) / (2 * gamma);
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const cosine = 1 / Math.sqrt(1 + tangent * tangent);
      rotate(left, p, q, rows, cosine, cosine * tangent);
      rotate(right, p, q, columns, cosine, cosine * tangent);
    }
  return rotated;
}

function rotate(columns: Float64Array, p: number, q: number, size: number, cosine: number, sine: number): void {
  for (let i = 0; i < size; i++) {
    const a = columns[p * size + i] as number;
    const b = columns[q * size + i] as number;
    columns[p * size + i] = cosine * a - sine * b;
    columns[q * size + i] = sine * a + cosine * b;
  }
}

/** Sets column k to a unit vector orthogonal to columns 0 … k−1: the basis vector they leave the most of, made orthogonal twice. */
function complete(columns: Float64Array, k: number, rows: number): void {
  let best = 0;
  let most = -1;
  for (let i = 0; i < rows; i++) {
    let rest = 1;
    for (let j = 0; j < k; j++) rest -= (columns[j * rows + i] as number) * (columns[j * rows + i] as number);
    if (rest > most) [best, most] = [i, rest];
  }
  columns.fill(0, k * rows, (k + 1) * rows);
  columns[k * rows + best] = 1;
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < k; j++) {
      const share = dot(columns, columns, j, k, rows);
      for (let i = 0; i < rows; i++)
        columns[k * rows + i] = (columns[k * rows + i] as number) - share * (columns[j * rows + i] as number);
    }
    const length = Math.sqrt(dot(columns, columns, k, k, rows));
    for (let i = 0; i < rows; i++) columns[k * rows + i] = (columns[k * rows + i] as number) / length;
  }
}

function dot(a: Float64Array, b: Float64Array, p: number, q: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += (a[p * size + i] as number) * (b[q * size + i] as number);
  return sum;
}

function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j] as number;
  return turned;
}

function identity(n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = 1;
  return matrix;
}
