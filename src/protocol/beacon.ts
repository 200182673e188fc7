// SPDX-License-Identifier: Apache-2.0
import { abiEncode, abiEncodeWithArrays } from "./abi.ts";
import { bytesToBigInt, fromHex, type Hex, toHex } from "./bytes.ts";
import { keccak256, tag } from "./hash.ts";

/** R_t from R_{t−1} and the preimages revealed with the round's verdicts, ascending validator index. */
export function nextBeacon(previous: Hex, reveals: readonly Hex[]): Hex {
  return toHex(
    keccak256(
      abiEncodeWithArrays([tag("beacon"), fromHex(previous, 32)], [reveals.map((reveal) => fromHex(reveal, 32))]),
    ),
  );
}

const MAX_WORD = (1n << 256n) - 1n;

/**
 * Whether the beacon invites a member: its keccak falls below cohort/active of the range. Sampling (cohort < active) is Poisson-like: the
 * cohort's size is an expectation.
 */
export function isInvited(beacon: Hex, memberId: number, cohort: number, active: number): boolean {
  if (cohort >= active) return true;
  const draw = bytesToBigInt(keccak256(abiEncode(tag("cohort"), fromHex(beacon, 32), memberId)));
  return draw < (MAX_WORD / BigInt(active)) * BigInt(cohort);
}

/**
 * A validator's hash chain for one run: `e_0` is registered, each verdict reveals the next preimage. Derived from a secret, so that only the
 * secret needs keeping; the chain has `length` preimages.
 */
export function hashChain(secret: Uint8Array, run: bigint, length: number): Hex[] {
  let link = keccak256(abiEncode(tag("beacon.secret"), keccak256(secret), run));
  const chain = [toHex(link)];
  for (let i = 0; i < length; i++) {
    link = keccak256(link);
    chain.push(toHex(link));
  }
  return chain.reverse();
}
