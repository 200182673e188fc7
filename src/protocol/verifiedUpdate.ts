// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "./bytes.ts";
import type { UpdateSource } from "./updateChunk.ts";

declare const verified: unique symbol;

/** The loss a member reports with its update, as only the seal's recipients see it. */
export interface SealedLoss {
  /** Mean loss of the received model on the member's shard, uint32 in units of 2^-16 nats. */
  readonly loss: number;
  /** Below p. */
  readonly salt: bigint;
}

interface VerifiedBase {
  /** Only verification makes one; aggregation takes nothing else. */
  readonly [verified]: true;
  readonly memberId: number;
  readonly artifactDigest: Hex;
  /** n_i, signed in the commit. */
  readonly samples: number;
  /** Whether somebody with a recipient's key opened the seal; without a key the quorum and the proof stand for it. */
  readonly sealChecked: boolean;
  /** The opened loss, present exactly when `sealChecked`. */
  readonly opening?: SealedLoss;
}

/**
 * An update that passed every check of docs/protocol.md, "Verification of an artifact". Its values stay in the artifact's bytes, wherever these
 * lie; each pass over them is held against the bytes that were verified, and fails when they have changed.
 */
export interface VerifiedUpdate extends VerifiedBase, UpdateSource {
  readonly kind: "update";
}

/** A loss report of the closing round: it changes no model. */
export interface VerifiedClosing extends VerifiedBase {
  readonly kind: "closing";
}

export type VerifiedArtifact = VerifiedUpdate | VerifiedClosing;
