// SPDX-License-Identifier: Apache-2.0
import { acceptanceThreshold, quorum } from "./quorum.ts";

/** Facts of a round from which its state follows; blocks are 0 where the event has not happened. */
export interface RoundFacts {
  readonly openedBlock: number;
  readonly commitDeadline: number;
  readonly judgeDeadline: number;
  readonly attestDeadline: number;
  readonly finaliseDeadline: number;
  /** Block in which the last entitled party acted, or 0. */
  readonly commitEnd: number;
  readonly judgeEnd: number;
  readonly attestEnd: number;
  readonly finalisedBlock: number;
  readonly validators: number;
  readonly verdicts: number;
  readonly attestations: number;
  readonly accepted: number;
  readonly minAccepted: number;
}

export type Phase = "committing" | "judging" | "attesting" | "finalising" | "finalised" | "failed";
export type RoundFailure = "TooFewAccepted" | "NoVerdicts" | "NoQuorum" | "NotFinalised";

/** Phase ends as blocks: the deadline, or earlier when everyone entitled has acted. */
export function phaseEnds(facts: RoundFacts): { commit: number; judge: number; attest: number } {
  return {
    commit: facts.commitEnd || facts.commitDeadline,
    judge: facts.judgeEnd || facts.judgeDeadline,
    attest: facts.attestEnd || facts.attestDeadline,
  };
}

/** State of a round for a transaction mined in `block` (docs/protocol.md, Round states). */
export function stateOf(facts: RoundFacts, block: number): { phase: Phase; failure?: RoundFailure } {
  if (facts.finalisedBlock !== 0) return { phase: "finalised" };
  const ends = phaseEnds(facts);
  if (block <= ends.commit) return { phase: "committing" };
  if (block <= ends.judge) return { phase: "judging" };
  if (facts.verdicts < quorum(facts.validators)) return { phase: "failed", failure: "NoVerdicts" };
  if (facts.accepted < facts.minAccepted) return { phase: "failed", failure: "TooFewAccepted" };
  if (block <= ends.attest) return { phase: "attesting" };
  if (facts.attestations < quorum(facts.validators)) return { phase: "failed", failure: "NoQuorum" };
  if (block <= facts.finaliseDeadline) return { phase: "finalising" };
  return { phase: "failed", failure: "NotFinalised" };
}

/** Indices of the updates with at least f+1 yes verdicts. */
export function acceptedBitmap(verdicts: readonly bigint[], commits: number, validators: number): bigint {
  let accepted = 0n;
  for (let index = 0; index < commits; index++) {
    const yes = verdicts.filter((bitmap) => ((bitmap >> BigInt(index)) & 1n) === 1n).length;
    if (yes >= acceptanceThreshold(validators)) accepted |= 1n << BigInt(index);
  }
  return accepted;
}
