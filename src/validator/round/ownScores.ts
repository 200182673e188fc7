// SPDX-License-Identifier: Apache-2.0
import { holdUpdates } from "../../aggregation/holdUpdates.ts";
import { type ScorePlace, scoreCommitment, scoreSalt } from "../../protocol/attestedScores.ts";
import { hasBit } from "../../protocol/bitmap.ts";
import type { Hex } from "../../protocol/bytes.ts";
import type { CommitRecord } from "../../protocol/ledger.ts";
import type { VerifiedArtifact, VerifiedUpdate } from "../../protocol/verifiedUpdate.ts";
import { HELD_BYTES } from "../../round/decideRound.ts";
import { scoreUpdates } from "../../round/scoreUpdates.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/** What a round's scores on any held-out data follow from: its result, and the bytes behind it. */
export interface ScoredRound {
  readonly round: number;
  readonly parent: Float64Array;
  readonly beacon: Hex;
  readonly kept: bigint;
  /** λ row by row of the accepted updates, ascending member id. */
  readonly weights: readonly number[];
  /** Accepted updates, ascending member id. */
  readonly updates: readonly { readonly commit: CommitRecord; readonly verified: VerifiedArtifact }[];
  /** Q16, before this round, aligned with `updates`; only coalitions by the rule look at them. */
  readonly reputations: readonly number[];
}

/** This validator's scores of the kept updates on its own held-out data, ascending member id, units 2^-20 nats. */
export async function ownScores(
  validator: ValidatorContext,
  { round, parent, beacon, kept, weights, updates, reputations }: ScoredRound,
): Promise<number[]> {
  const isKept = updates.map(({ commit }) => hasBit(kept, commit.commitIndex));
  const scores = await scoreUpdates(validator, validator, {
    parent,
    updates: await holdUpdates(
      updates.map(({ verified }) => verified as VerifiedUpdate),
      HELD_BYTES,
    ),
    aggregated: { kept: isKept, weights: Uint32Array.from(weights) },
    reputations,
    beacon,
    round,
  });
  return scores.filter((_, i) => isKept[i]);
}

/** What the validator at this index commits to, and the salt that opens it. */
export function sealScores(
  validator: ValidatorContext,
  round: number,
  validatorIndex: number,
  scores: readonly number[],
): { readonly commitment: Hex; readonly salt: Hex } {
  const { chainId, run, addresses, beaconSecret } = validator;
  const place: ScorePlace = { chainId, rewards: addresses.shapleyRewards, run, round, validatorIndex };
  const salt = scoreSalt(beaconSecret, place);
  return { commitment: scoreCommitment(place, { scores, salt }), salt };
}
