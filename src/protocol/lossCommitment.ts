// SPDX-License-Identifier: Apache-2.0
import { requireFieldElement, requireUint } from "./field.ts";
import { fieldTag, poseidon } from "./poseidon.ts";

/** What a member commits to when it reports a loss: the value and everything that keeps the commitment from being used elsewhere. */
export interface LossOpening {
  /** Run id, uint64. */
  readonly run: bigint;
  /** Round of the run, uint32. */
  readonly round: number;
  /** Permanent member id, uint32. */
  readonly memberId: number;
  /** Samples the loss is a mean over, uint32; also the weight of this loss in L. */
  readonly samples: number;
  /** Mean loss of the received model on the member's shard, uint32 in units of 2^-16 nats (saturating). */
  readonly loss: number;
  /** Uniform below p. Losses have little entropy, so without it a commitment could be opened by trying. */
  readonly salt: bigint;
}

/** `tag("lossCommitment") mod p`; the circuit holds the same constant and a test compares them. */
export const LOSS_COMMITMENT_TAG = fieldTag("lossCommitment");

/**
 * Poseidon commitment to a member's reported loss (docs/protocol.md, "Commit"):
 * `Poseidon(tag, run, round, memberId, samples, loss, salt)`.
 *
 * @returns a field element. It is 0 with probability 1/p only; the ledger refuses 0, so a member that met it would draw another salt.
 * @throws FieldRangeError when a value does not fit its type.
 *
 * @example
 * lossCommitment({ run: 1n, round: 1, memberId: 7, samples: 600, loss: 151_000, salt });
 */
export function lossCommitment(opening: LossOpening): bigint {
  return poseidon([
    LOSS_COMMITMENT_TAG,
    requireUint("run", opening.run, 64),
    requireUint("round", opening.round, 32),
    requireUint("memberId", opening.memberId, 32),
    requireUint("samples", opening.samples, 32),
    requireUint("loss", opening.loss, 32),
    requireFieldElement("salt", opening.salt),
  ]);
}
