// SPDX-License-Identifier: Apache-2.0
import { FIELD_ORDER } from "../../../src/protocol/field.ts";

/** p − 1 = 2^28 · odd: the largest power-of-two domain of the scalar field. */
const TWO_ADICITY = 28;

/** snarkjs and ffjavascript take 5 as the multiplicative generator; another one would give other roots and unusable keys. */
const GENERATOR = 5n;

/** base^exponent mod p. */
export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % FIELD_ORDER;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % FIELD_ORDER;
    square = (square * square) % FIELD_ORDER;
  }
  return result;
}

/** 1/value mod p; value must not be 0. */
export function inverse(value: bigint): bigint {
  if (value % FIELD_ORDER === 0n) throw new RangeError("0 has no inverse modulo p.");
  return power(value, FIELD_ORDER - 2n);
}

/** The primitive 2^log2Size-th root of unity that snarkjs uses. */
export function rootOfUnity(log2Size: number): bigint {
  if (log2Size > TWO_ADICITY)
    throw new RangeError(`The scalar field has no domain of size 2^${log2Size}; the largest is 2^${TWO_ADICITY}.`);
  return power(GENERATOR, (FIELD_ORDER - 1n) >> BigInt(log2Size));
}

/**
 * All Lagrange basis polynomials of the domain of size n = 2^log2Size at `point`, times `factor`:
 * L_i(x) = ω^i · (x^n − 1) / (n · (x − ω^i)).
 *
 * One inversion for all denominators (Montgomery's trick), since an inversion costs some 400 multiplications.
 *
 * @throws RangeError if `point` lies in the domain.
 */
export function lagrangeBasisAt(log2Size: number, point: bigint, factor = 1n): bigint[] {
  const size = 2 ** log2Size;
  const root = rootOfUnity(log2Size);

  const elements: bigint[] = [];
  const denominators: bigint[] = [];
  const prefixes: bigint[] = [];
  let element = 1n;
  let product = 1n;
  for (let i = 0; i < size; i++) {
    const denominator = (point - element + FIELD_ORDER) % FIELD_ORDER;
    elements.push(element);
    denominators.push(denominator);
    prefixes.push(product);
    product = (product * denominator) % FIELD_ORDER;
    element = (element * root) % FIELD_ORDER;
  }

  const vanishing = (power(point, BigInt(size)) - 1n + FIELD_ORDER) % FIELD_ORDER;
  const common = (((vanishing * inverse(BigInt(size))) % FIELD_ORDER) * factor) % FIELD_ORDER;
  let suffixInverse = inverse(product);
  const basis = new Array<bigint>(size);
  for (let i = size - 1; i >= 0; i--) {
    const reciprocal = (suffixInverse * (prefixes[i] as bigint)) % FIELD_ORDER;
    suffixInverse = (suffixInverse * (denominators[i] as bigint)) % FIELD_ORDER;
    basis[i] = (((reciprocal * (elements[i] as bigint)) % FIELD_ORDER) * common) % FIELD_ORDER;
  }
  return basis;
}
