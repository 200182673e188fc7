// SPDX-License-Identifier: Apache-2.0

/** a − b in float32, never −0. */
export function difference(a: Float32Array, b: Float32Array): Float32Array {
  const result = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) result[i] = (a[i] as number) - (b[i] as number) + 0;
  return result;
}

/** ‖v‖₂, summed in float64. */
export function norm(v: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < v.length; i++) sum += (v[i] as number) * (v[i] as number);
  return Math.sqrt(sum);
}

/** v + scale·direction as a new vector. */
export function moved(v: Float32Array, scale: number, direction: ArrayLike<number>): Float32Array {
  const result = new Float32Array(v.length);
  for (let i = 0; i < v.length; i++) result[i] = (v[i] as number) + scale * (direction[i] as number);
  return result;
}

/** v ← v + scale·direction. */
export function addScaled(v: Float32Array | Float64Array, scale: number, direction: ArrayLike<number>): void {
  for (let i = 0; i < v.length; i++) v[i] = (v[i] as number) + scale * (direction[i] as number);
}

/** Vectors one after another. */
export function joined(...parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Row b of a row-major matrix of that width. */
export function row(values: Float32Array, b: number, width: number): Float32Array {
  return values.subarray(b * width, (b + 1) * width);
}
