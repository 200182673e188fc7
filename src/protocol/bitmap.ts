// SPDX-License-Identifier: Apache-2.0

/** Positions of the set bits of a bitmap, ascending. */
export function bitsOf(bitmap: bigint): number[] {
  const bits: number[] = [];
  for (let i = 0, rest = bitmap; rest > 0n; i++, rest >>= 1n) if (rest & 1n) bits.push(i);
  return bits;
}

export function hasBit(bitmap: bigint, index: number): boolean {
  return ((bitmap >> BigInt(index)) & 1n) === 1n;
}

export function bitmapOf(bits: Iterable<number>): bigint {
  let bitmap = 0n;
  for (const bit of bits) bitmap |= 1n << BigInt(bit);
  return bitmap;
}
