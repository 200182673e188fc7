// SPDX-License-Identifier: Apache-2.0

/** The middle value; the mean of the two middle ones for an even number. The input is not changed. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("The median of nothing is asked for.");
  const ordered = [...values].sort((a, b) => a - b);
  const upper = ordered.length >> 1;
  return ((ordered[upper] as number) + (ordered[(ordered.length - 1) >> 1] as number)) / 2;
}

/** Significant digits of what is written down; more would be noise. */
const DIGITS = 4;

export function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** a/b to as many digits as were measured; null if one of them was not. */
export function ratio(a: number | null | undefined, b: number | null | undefined): number | null {
  return a === null || a === undefined || b === null || b === undefined || b === 0 ? null : rounded(a / b);
}

/** GB/s (10^9 bytes). */
export function gigabytesPerSecond(bytes: number, ms: number): number {
  return rounded(bytes / ms / 1e6);
}

/** The smallest that is there, or null. */
export function fastest(values: readonly (number | null | undefined)[]): number | null {
  const there = values.filter((value) => value !== null && value !== undefined);
  return there.length === 0 ? null : Math.min(...there);
}
