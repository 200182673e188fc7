// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "./errors.ts";

/**
 * The scalar field of BN254, in which circuits, loss commitments and the binding live.
 *
 * Solidity, circom and TypeScript all reduce modulo p silently. A value p + x that passes for x in one place and not in another is
 * how commitments get two names, so nothing here reduces: what is not canonical is refused.
 */

/** p, the order of the BN254 scalar field (circom's prime; `r` in snarkjs's verifier). */
export const FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** A number is not a canonical element of the range that the protocol gives it. `values`: `quantity`, `value`, `limit` (exclusive). */
export class FieldRangeError extends FoedusError {
  constructor(quantity: string, value: bigint | number, limit: bigint) {
    super(
      "OUT_OF_RANGE",
      `${quantity} is ${value}, but must be an integer, at least 0 and below ${limit}. Pass the value as the protocol defines it; nothing is reduced here.`,
      { values: { quantity, value, limit } },
    );
    this.name = "FieldRangeError";
  }
}

/**
 * Returns `value` if 0 ≤ value < p.
 *
 * @throws FieldRangeError otherwise.
 */
export function requireFieldElement(quantity: string, value: bigint): bigint {
  if (value < 0n || value >= FIELD_ORDER) throw new FieldRangeError(quantity, value, FIELD_ORDER);
  return value;
}

/**
 * Returns `value` as a bigint if it is an integer with 0 ≤ value < 2^bits.
 *
 * @throws FieldRangeError otherwise, and for a number above 2^53, whose exact value is unknown.
 */
export function requireUint(quantity: string, value: bigint | number, bits: number): bigint {
  const limit = 1n << BigInt(bits);
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new FieldRangeError(quantity, value, limit);
  const exact = BigInt(value);
  if (exact < 0n || exact >= limit) throw new FieldRangeError(quantity, exact, limit);
  return exact;
}
