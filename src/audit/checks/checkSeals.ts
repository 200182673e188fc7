// SPDX-License-Identifier: Apache-2.0
import { attestationSeal, type ProofDomain } from "../../protocol/attestation.ts";
import { hasBit } from "../../protocol/bitmap.ts";
import type { AttestationRecord, FinalisedRecord, RoundView, ValidatorSet } from "../../protocol/ledger.ts";
import { quorum } from "../../protocol/quorum.ts";
import { FalseLink } from "../links.ts";

/**
 * q seals open to the result. Beyond the quorum, each recorded seal must be what the finalisation says of it: a seal that should agree and
 * does not, or agrees though it is said not to, was altered on the way to the auditor.
 */
export function checkSeals(
  domain: ProofDomain,
  round: RoundView,
  set: ValidatorSet,
  seals: readonly AttestationRecord[],
  record: FinalisedRecord,
): void {
  const seen = new Set<number>();
  let agreeing = 0;
  for (const { validatorIndex, seal } of seals) {
    const validator = set.validators[validatorIndex];
    if (validator === undefined || seen.has(validatorIndex) || !hasBit(round.attestedBitmap, validatorIndex)) {
      throw new FalseLink(
        "attestation",
        `A seal is recorded for validator index ${validatorIndex}, which did not attest, or not twice.`,
      );
    }
    seen.add(validatorIndex);
    const agrees = seal === attestationSeal(record.result, validator.signer, domain);
    if (agrees !== hasBit(record.agreeing, validatorIndex)) {
      throw new FalseLink(
        "attestation",
        `The seal ${seal} of validator ${validator.id} ${agrees ? "opens" : "does not open"} to the result; the finalisation counted it as ${agrees ? "another" : "agreeing"}.`,
      );
    }
    if (agrees) agreeing++;
  }
  if (seen.size !== round.facts.attestations) {
    throw new FalseLink(
      "attestation",
      `${round.facts.attestations} validators attested; ${seen.size} seals are recorded.`,
    );
  }
  const needed = quorum(set.validators.length);
  if (agreeing < needed)
    throw new FalseLink("attestation", `${agreeing} seals open to the result; ${needed} are needed.`);
}
