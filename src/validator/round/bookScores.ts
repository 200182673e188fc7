// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../../protocol/bitmap.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/** Books the medians of what was revealed in a round whose windows are over. Anyone may; the first does it, the others see that it is done. */
export async function bookScores({ ledger, run, logger }: ValidatorContext, round: number): Promise<void> {
  const record = await ledger.finalised(run, round);
  if (record === undefined) throw new FoedusError("RECORD_MISSING", `Round ${round} has no record.`);
  const { result, finalisation } = record;
  const accepted = finalisation.committed.filter(({ commitIndex }) => hasBit(result.accepted, commitIndex));
  const reveals = await ledger.scoreReveals(run, round);
  const { gasUsed } = await ledger.bookScores(result, accepted, reveals);
  logger.info({ round, reveals: reveals.length, gas: Number(gasUsed) }, "scores booked");
}
