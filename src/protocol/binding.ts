// SPDX-License-Identifier: Apache-2.0
import { abiEncode, addressBytes } from "./abi.ts";
import { bigIntToBytes, bytesToBigInt, concatBytes, fromHex, type Hex } from "./bytes.ts";
import { FoedusError } from "./errors.ts";
import { FIELD_ORDER, requireFieldElement, requireUint } from "./field.ts";
import { keccak256, tag } from "./hash.ts";
import { fieldTag, poseidon } from "./poseidon.ts";

/**
 * The binding of docs/protocol.md, "Proof of reported loss": how four public signals speak for a vector of up to 65 elements.
 *
 * The prover names D, a digest of its own vector v′. Then r is drawn from a hash of D and of the vector v that the chain knows, and
 * E = Σ v_j·r^j; the circuit shows Σ v′_j·r^j = E. v′ was fixed before r, and two different vectors agree on at most 2·capacity of the
 * p points, so v′ = v. Drawing r from v alone would let the prover choose v′ afterwards.
 */

/** `tag("binding.digest") mod p`; the circuit holds the same constant and a test compares them. */
export const BINDING_DIGEST_TAG = fieldTag("binding.digest");

/** Elements that one step of the digest takes beside its state. */
const DIGEST_RATE = 15;

/** What the chain knows of an accepted update that the proof speaks about. */
export interface BoundUpdate {
  /** uint32, not 0. */
  readonly memberId: number;
  /** uint32, at least 1. */
  readonly samples: number;
  /** Field element, not 0. */
  readonly lossCommitment: bigint;
}

/** More accepted updates than the circuit has slots. `values`: `updates`, `capacity`. */
export class CapacityExceededError extends FoedusError {
  constructor(updates: number, capacity: number) {
    super(
      "CAPACITY_EXCEEDED",
      `${updates} accepted updates do not fit a proof of capacity ${capacity}. Open the run with the verifier of a larger instance.`,
      { values: { updates, capacity } },
    );
    this.name = "CapacityExceededError";
  }
}

/**
 * v, unpadded: run·2^32 + round, then for each update its commitment and memberId·2^32 + samples. 1 + 2·updates elements.
 *
 * @param updates the accepted updates, ascending memberId (this function keeps the order it is given).
 * @throws FieldRangeError when a value does not fit its type.
 */
export function bindingVector(run: bigint, round: number, updates: readonly BoundUpdate[]): bigint[] {
  const vector = [(requireUint("run", run, 64) << 32n) | requireUint("round", round, 32)];
  for (const { memberId, samples, lossCommitment } of updates) {
    vector.push(
      requireFieldElement("lossCommitment", lossCommitment),
      (requireUint("memberId", memberId, 32) << 32n) | requireUint("samples", samples, 32),
    );
  }
  return vector;
}

/**
 * D: s₀ = Poseidon(tag, capacity), s_{i+1} = Poseidon(s_i, next 15 elements of v padded with zeros), D = the last s.
 *
 * @param capacity slots of the circuit; v is padded with zeros to 2·capacity + 1 elements.
 * @throws CapacityExceededError if v is longer than that.
 */
export function bindingDigest(capacity: number, vector: readonly bigint[]): bigint {
  const length = 2 * capacity + 1;
  if (vector.length > length) throw new CapacityExceededError((vector.length - 1) / 2, capacity);
  let state = poseidon([BINDING_DIGEST_TAG, BigInt(capacity)]);
  for (let start = 0; start < length; start += DIGEST_RATE) {
    const block = Array.from({ length: DIGEST_RATE }, (_, i) => vector[start + i] ?? 0n);
    state = poseidon([state, ...block]);
  }
  return state;
}

/** E = Σ v_j·r^j mod p. Zeros at the end of v do not change it, so it takes v padded or not. */
export function evaluateBinding(vector: readonly bigint[], challenge: bigint): bigint {
  requireFieldElement("challenge", challenge);
  return vector.reduceRight((sum, element) => (sum * challenge + element) % FIELD_ORDER, 0n);
}

/** Where and about what a proof is made: everything that r depends on. */
export interface BindingContext {
  readonly chainId: bigint;
  /** Address of the ProofOfTraining contract, 0x-prefixed. */
  readonly proofOfTraining: string;
  readonly run: bigint;
  readonly round: number;
  /** The run's head before the round (`RoundResult.head`). */
  readonly head: Hex;
  /** L, uint32 in units of 2^-16 nats. */
  readonly reportedLoss: number;
}

/** r = keccak(abi(tag("binding"), chainId, proofOfTraining, run, round, head, L, keccak(v unpadded, packed), D)) mod p. */
export function bindingChallenge(context: BindingContext, vector: readonly bigint[], digest: bigint): bigint {
  const packed = keccak256(concatBytes(...vector.map((element) => bigIntToBytes(element, 32))));
  const encoded = abiEncode(
    tag("binding"),
    context.chainId,
    addressBytes(context.proofOfTraining),
    requireUint("run", context.run, 64),
    requireUint("round", context.round, 32),
    fromHex(context.head, 32),
    requireUint("reportedLoss", context.reportedLoss, 32),
    packed,
    requireFieldElement("digest", digest),
  );
  return bytesToBigInt(keccak256(encoded)) % FIELD_ORDER;
}
