// SPDX-License-Identifier: Apache-2.0
import { svd } from "../../../numerics/svd.ts";
import type { Random } from "../../../protocol/random.ts";
import { dot } from "../vectors.ts";

/** A standardised, whitened view of many parameter vectors: each coordinate of the latent space has variance 1 over them. */
export interface LatentSpace {
  /** r. */
  readonly dimensions: number;
  /** Share of the standardised vectors' variance that the components hold. */
  readonly explained: number;
  /** The latent coordinates of a vector. */
  encode(vector: Float64Array): Float64Array;
  /** What a change of latent coordinates changes in a vector. */
  decodeChange(change: Float64Array): Float64Array;
  /** The vector's nearest point in the components' span: what is left without its own residual. */
  project(vector: Float64Array): Float64Array;
}

/** More directions than are wanted make the wanted ones converge faster. */
const OVERSAMPLE = 8;
const ITERATIONS = 40;

/**
 * The first `most` principal components of coordinate-wise standardised vectors, from their n × n Gram matrix by subspace iteration (n is some
 * tens to a thousand, the vectors are much longer). Components below 1e-10 of the largest are left out; there are at most n − 1.
 *
 * @param random for the directions that the iteration starts from.
 */
export function principalComponents(vectors: readonly Float64Array[], most: number, random: Random): LatentSpace {
  const n = vectors.length;
  const size = (vectors[0] as Float64Array).length;
  const { mean, deviation } = momentsOf(vectors, size);
  const standardise = (vector: Float64Array): Float64Array =>
    vector.map((value, j) => (value - (mean[j] as number)) / (deviation[j] as number));
  const standardised = vectors.map(standardise);
  const { values, directions } = leadingDirections(gramOf(standardised), n, Math.min(most, n - 1), random);

  const components = directions.map((direction, c) => {
    const component = new Float64Array(size);
    const scale = 1 / Math.sqrt(n * (values[c] as number));
    for (const [k, row] of standardised.entries()) {
      const weight = scale * (direction[k] as number);
      for (let j = 0; j < size; j++) component[j] = (component[j] as number) + weight * (row[j] as number);
    }
    return component;
  });
  const roots = values.map(Math.sqrt);
  const encode = (vector: Float64Array): Float64Array => {
    const row = standardise(vector);
    return Float64Array.from(components, (component, c) => dot(component, row) / (roots[c] as number));
  };
  const decodeChange = (change: Float64Array): Float64Array => {
    const moved = new Float64Array(size);
    for (const [c, component] of components.entries()) {
      const weight = (roots[c] as number) * (change[c] as number);
      for (let j = 0; j < size; j++) moved[j] = (moved[j] as number) + weight * (component[j] as number);
    }
    return moved.map((value, j) => value * (deviation[j] as number));
  };
  const total = standardised.reduce((sum, row) => sum + dot(row, row), 0) / n;
  return {
    dimensions: components.length,
    explained: total > 0 ? values.reduce((sum, value) => sum + value, 0) / total : 0,
    encode,
    decodeChange,
    project: (vector) => decodeChange(encode(vector)).map((value, j) => value + (mean[j] as number)),
  };
}

/** Coordinate means and standard deviations; a coordinate that never varies gets deviation 1. */
function momentsOf(vectors: readonly Float64Array[], size: number): { mean: Float64Array; deviation: Float64Array } {
  const mean = new Float64Array(size);
  const deviation = new Float64Array(size);
  for (const vector of vectors)
    for (let j = 0; j < size; j++) mean[j] = (mean[j] as number) + (vector[j] as number) / vectors.length;
  for (const vector of vectors)
    for (let j = 0; j < size; j++) {
      const off = (vector[j] as number) - (mean[j] as number);
      deviation[j] = (deviation[j] as number) + (off * off) / vectors.length;
    }
  return { mean, deviation: deviation.map((variance) => (variance > 1e-24 ? Math.sqrt(variance) : 1)) };
}

/** XXᵀ/n. */
function gramOf(vectors: readonly Float64Array[]): Float64Array {
  const n = vectors.length;
  const gram = new Float64Array(n * n);
  for (const [i, a] of vectors.entries())
    for (let j = 0; j <= i; j++) {
      const product = dot(a, vectors[j] as Float64Array) / n;
      gram[i * n + j] = product;
      gram[j * n + i] = product;
    }
  return gram;
}

/** The largest eigenvalues of a positive semidefinite matrix, descending, with their unit eigenvectors. */
function leadingDirections(
  matrix: Float64Array,
  n: number,
  wanted: number,
  random: Random,
): { readonly values: readonly number[]; readonly directions: readonly Float64Array[] } {
  const width = Math.min(n, wanted + OVERSAMPLE);
  const stream = random.derive("subspace");
  let basis: Float64Array[] = Array.from({ length: width }, () =>
    Float64Array.from({ length: n }, () => stream.normal()),
  );
  orthonormalise(basis);
  const times = (direction: Float64Array): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => dot(matrix.subarray(i * n, (i + 1) * n), direction));
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    basis = basis.map(times);
    orthonormalise(basis);
  }
  // Within the subspace: eigenvectors of QᵀGQ, which is symmetric and positive semidefinite, so its SVD has them.
  const images = basis.map(times);
  const small = Float64Array.from(basis.flatMap((q) => images.map((image) => dot(q, image))));
  const { u, s } = svd(small, width, width);
  const values: number[] = [];
  const directions: Float64Array[] = [];
  for (let c = 0; c < wanted && (s[c] as number) > 1e-10 * (s[0] as number); c++) {
    const direction = new Float64Array(n);
    for (const [q, vector] of basis.entries())
      for (let i = 0; i < n; i++)
        direction[i] = (direction[i] as number) + (u[q * width + c] as number) * (vector[i] as number);
    values.push(s[c] as number);
    directions.push(direction);
  }
  return { values, directions };
}

/** Gram–Schmidt in place, each vector twice against those before; one that vanishes becomes zero. */
function orthonormalise(vectors: readonly Float64Array[]): void {
  for (const [k, vector] of vectors.entries()) {
    const length = Math.sqrt(dot(vector, vector));
    for (let pass = 0; pass < 2; pass++)
      for (const before of vectors.slice(0, k)) {
        const share = dot(before, vector);
        for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) - share * (before[i] as number);
      }
    const rest = Math.sqrt(dot(vector, vector));
    const scale = rest > 1e-13 * length ? 1 / rest : 0;
    for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * scale;
  }
}
