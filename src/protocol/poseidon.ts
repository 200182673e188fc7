// SPDX-License-Identifier: Apache-2.0
import { poseidon2 } from "poseidon-lite/poseidon2";
import { poseidon7 } from "poseidon-lite/poseidon7";
import { poseidon16 } from "poseidon-lite/poseidon16";
import { bytesToBigInt } from "./bytes.ts";
import { FIELD_ORDER, requireFieldElement } from "./field.ts";
import { tag } from "./hash.ts";

/**
 * The door to Poseidon over BN254 with circomlib's parameters (x^5, 8 full rounds, capacity lane 0), equal to `Poseidon(n)` in
 * node_modules/circomlib/circuits/poseidon.circom.
 *
 * Only the three widths the protocol uses are opened. Domain separation is by a tag in the first input, never in the capacity lane:
 * whoever controls the capacity lane can run the permutation backwards.
 *
 * Source: Grassi et al., "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems", USENIX Security 2021 (eprint 2019/458).
 */
const permutations = { 2: poseidon2, 7: poseidon7, 16: poseidon16 } as const;

/** Numbers of inputs that the protocol hashes. */
export type PoseidonWidth = keyof typeof permutations;

/**
 * Poseidon of 2, 7 or 16 field elements.
 *
 * @throws FieldRangeError for an input that is not below p; TypeError for another number of inputs.
 */
export function poseidon(inputs: readonly bigint[]): bigint {
  const permutation = permutations[inputs.length as PoseidonWidth];
  if (permutation === undefined) {
    throw new TypeError(`Poseidon is used here with 2, 7 or 16 inputs, not ${inputs.length}.`);
  }
  return permutation(inputs.map((input, index) => requireFieldElement(`Poseidon input ${index}`, input)));
}

/** `tag(name) mod p` of docs/protocol.md: the domain separator of a Poseidon hash. */
export function fieldTag(name: string): bigint {
  return bytesToBigInt(tag(name)) % FIELD_ORDER;
}
