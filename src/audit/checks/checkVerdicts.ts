// SPDX-License-Identifier: Apache-2.0
import { nextBeacon } from "../../protocol/beacon.ts";
import { bitsOf } from "../../protocol/bitmap.ts";
import { fromHex, type Hex, toHex } from "../../protocol/bytes.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { RoundView, ValidatorSet, VerdictRecord } from "../../protocol/ledger.ts";
import { quorum } from "../../protocol/quorum.ts";
import { acceptedBitmap } from "../../protocol/schedule.ts";
import { FalseLink } from "../links.ts";

/** The last link of each validator's hash chain that has been seen, by validator id. */
export type BeaconTips = Map<number, Hex>;

/**
 * One verdict per validator of the round's set, each revealing the preimage of its last link; R_t follows. `tips` is advanced. A tip not seen
 * yet is taken from this verdict and binds the later ones. Rounds that failed count too: what was revealed in them is revealed.
 */
export function checkReveals(
  round: RoundView,
  set: ValidatorSet,
  verdicts: readonly VerdictRecord[],
  tips: BeaconTips,
): Hex {
  const ordered = byIndex(verdicts);
  for (const [position, verdict] of ordered.entries()) {
    const validator = set.validators[verdict.validatorIndex];
    if (validator === undefined || validator.id !== verdict.validatorId) {
      throw new FalseLink(
        "verdict",
        `A verdict stands for validator index ${verdict.validatorIndex} with id ${verdict.validatorId}, which the round's set does not have.`,
      );
    }
    if (position > 0 && ordered[position - 1]?.validatorIndex === verdict.validatorIndex) {
      throw new FalseLink("verdict", `Validator ${validator.id} gave two verdicts in round ${round.round}.`);
    }
    const tip = tips.get(validator.id);
    const opened = toHex(keccak256(fromHex(verdict.reveal, 32)));
    if (tip !== undefined && opened !== tip) {
      // Forgotten, so that one false reveal is not reported again in the next round.
      tips.delete(validator.id);
      throw new FalseLink(
        "verdict",
        `Validator ${validator.id} revealed ${verdict.reveal}, which is not the preimage of its last link ${tip}.`,
      );
    }
    tips.set(validator.id, verdict.reveal);
    if (verdict.codes.length !== round.commits || verdict.bitmap >> BigInt(round.commits) !== 0n) {
      throw new FalseLink(
        "verdict",
        `The verdict of validator ${validator.id} speaks of other updates than the ${round.commits} committed.`,
      );
    }
  }
  return nextBeacon(
    round.beaconBefore,
    ordered.map(({ reveal }) => reveal),
  );
}

/** The accepted updates of a finalised round: those with f+1 yes among at least q verdicts. Fewer than the run's minimum end no round. */
export function checkQuorumOfVerdicts(
  round: RoundView,
  minAccepted: number,
  set: ValidatorSet,
  verdicts: readonly VerdictRecord[],
): bigint {
  const n = set.validators.length;
  if (verdicts.length < quorum(n)) {
    throw new FalseLink(
      "accepted",
      `${verdicts.length} verdicts are recorded; a finalised round has at least ${quorum(n)}.`,
    );
  }
  const accepted = acceptedBitmap(
    verdicts.map(({ bitmap }) => bitmap),
    round.commits,
    n,
  );
  const count = bitsOf(accepted).length;
  if (count < minAccepted)
    throw new FalseLink(
      "accepted",
      `The verdicts accept ${count} updates; a finalised round has at least ${minAccepted}.`,
    );
  return accepted;
}

function byIndex(verdicts: readonly VerdictRecord[]): VerdictRecord[] {
  return [...verdicts].sort((a, b) => a.validatorIndex - b.validatorIndex);
}
