// SPDX-License-Identifier: Apache-2.0
import { attestationSeal, type RoundResult } from "../../protocol/attestation.ts";
import { hasBit } from "../../protocol/bitmap.ts";
import type { Hex } from "../../protocol/bytes.ts";
import { proofDomain } from "../../round/runContext.ts";
import { roundState } from "../../round/waitForRound.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";

/**
 * Seals the result, unless this validator has done so or the phase is over. The checkpoint must lie in the store before: the seal is its pin
 * receipt. In rounds with attested scores the seal goes with the commitment to this validator's.
 */
export async function attestRound(
  validator: ValidatorContext,
  round: ValidatorRound,
  result: RoundResult,
  scoreCommitment?: Hex,
): Promise<void> {
  const { round: view, phase } = await roundState(validator.ledger, validator.run, round.view.round);
  if (phase !== "attesting" || hasBit(view.attestedBitmap, round.self.index)) return;
  const seal = attestationSeal(result, round.self.signer, proofDomain(validator));
  const { gasUsed } = await validator.ledger.attest(validator.run, view.round, seal, scoreCommitment);
  validator.logger.info({ round: view.round, gas: Number(gasUsed) }, "result attested");
}
