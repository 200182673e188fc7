// SPDX-License-Identifier: Apache-2.0
import type { Vector } from "./attack.ts";

/** μ and σ of each coordinate; σ with n − 1, as ByzFL and torch have it, and 0 for one vector. */
export function moments(vectors: readonly Vector[]): { mean: Float64Array; deviation: Float64Array } {
  const mean = meanOf(vectors);
  const deviation = new Float64Array(mean.length);
  if (vectors.length === 1) return { mean, deviation };
  for (const vector of vectors)
    for (let j = 0; j < mean.length; j++) {
      const off = (vector[j] as number) - (mean[j] as number);
      deviation[j] = (deviation[j] as number) + off * off;
    }
  return { mean, deviation: deviation.map((sum) => Math.sqrt(sum / (vectors.length - 1))) };
}

export function meanOf(vectors: readonly Vector[]): Float64Array {
  const sum = new Float64Array((vectors[0] as Vector).length);
  for (const vector of vectors)
    for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] as number) + (vector[j] as number);
  return sum.map((value) => value / vectors.length);
}

export function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number);
  return sum;
}

export function norm(a: Vector): number {
  return Math.sqrt(dot(a, a));
}

/** a + factor·b. */
export function addScaled(a: Vector, factor: number, b: Vector): Float64Array {
  return Float64Array.from(a, (value, j) => value + factor * (b[j] as number));
}

export function scaled(factor: number, a: Vector): Float64Array {
  return Float64Array.from(a, (value) => factor * value);
}

/** ‖a − b‖². */
export function squaredDistance(a: Vector, b: Vector): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) {
    const off = (a[j] as number) - (b[j] as number);
    sum += off * off;
  }
  return sum;
}

/** ‖x_i − x_j‖² of all pairs. */
export function squaredDistances(vectors: readonly Vector[]): number[][] {
  const rows = vectors.map(() => new Array<number>(vectors.length).fill(0));
  for (const [i, a] of vectors.entries())
    for (let j = 0; j < i; j++) {
      const distance = squaredDistance(a, vectors[j] as Vector);
      (rows[i] as number[])[j] = distance;
      (rows[j] as number[])[i] = distance;
    }
  return rows;
}

/** A vector of independent normal values. */
export function gaussian(random: { normal(): number }, size: number, deviation: number): Float64Array {
  return Float64Array.from({ length: size }, () => deviation * random.normal());
}

/** The largest entry of a matrix with as many rows as members: too many to spread into arguments. */
export function largestEntry(rows: readonly (readonly number[])[]): number {
  return rows.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), -Infinity);
}
