// SPDX-License-Identifier: Apache-2.0
import type { LossProof } from "../protocol/ledger.ts";

/** The opened loss of one accepted update. */
export interface OpenedLoss {
  readonly memberId: number;
  readonly samples: number;
  readonly lossCommitment: bigint;
  readonly loss: number;
  readonly salt: bigint;
}

/** Proves L over the openings; `challenge` is r as a function of D. Implemented by `src/proving`. */
export interface LossProver {
  prove(statement: {
    readonly capacity: number;
    readonly run: bigint;
    readonly round: number;
    readonly openings: readonly OpenedLoss[];
    challenge(bindingDigest: bigint): bigint;
  }): Promise<{ readonly bindingDigest: bigint; readonly proof: LossProof }>;
}
