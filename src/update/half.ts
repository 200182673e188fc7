// SPDX-License-Identifier: Apache-2.0
import { DecodeError } from "../protocol/errors.ts";

/** Bits of a half's significand beside the leading one. */
const FRACTION_BITS = 10;
const FRACTION = 1 << FRACTION_BITS;
/** Exponents that lie on the update grid: (2^11 − 1)·2^13 is its last such value. */
const MAX_EXPONENT = 14;
const SIGN = 0x8000;

export const HALF_BYTES = 2;

/**
 * Grid integers as IEEE 754 binary16, big-endian, of q·2^-24: every |q| < 2^24 to 11 significant bits, rounded toward zero. Any reader of halfs
 * reads them; multiplied by 2^(24−F) they are the values.
 *
 * @param values |q| < 2^24.
 */
export function encodeHalves(values: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(HALF_BYTES * values.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = Math.trunc(values[i] as number);
    const magnitude = Math.abs(value);
    // Bits beyond the eleven that are kept.
    const shift = Math.max(0, 32 - Math.clz32(magnitude) - FRACTION_BITS - 1);
    const kept = magnitude >>> shift;
    const bits = kept < FRACTION ? kept : ((shift + 1) << FRACTION_BITS) | (kept - FRACTION);
    view.setUint16(HALF_BYTES * i, value < 0 ? SIGN | bits : bits);
  }
  return out;
}

/**
 * Inverse of `encodeHalves`. Negative zero, infinities, NaN and everything from 2^24 up are not canonical.
 *
 * @param values to write to; as many are read.
 * @param first index of the first value, for messages.
 * @throws DecodeError
 */
export function decodeHalves(bytes: Uint8Array, values: Int32Array, first = 0): void {
  if (bytes.length !== HALF_BYTES * values.length)
    throw new DecodeError(
      `${values.length} halves take ${HALF_BYTES * values.length} bytes; there are ${bytes.length}.`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < values.length; i++) {
    const bits = view.getUint16(HALF_BYTES * i);
    const exponent = (bits >>> FRACTION_BITS) & 31;
    if (exponent > MAX_EXPONENT || bits === SIGN)
      throw new DecodeError(`Value ${first + i} is stored as the half 0x${bits.toString(16)}, which is not used.`);
    const fraction = bits & (FRACTION - 1);
    const magnitude = exponent === 0 ? fraction : (FRACTION + fraction) * (1 << (exponent - 1));
    values[i] = bits >= SIGN ? -magnitude : magnitude;
  }
}
