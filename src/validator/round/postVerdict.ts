// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../../protocol/bitmap.ts";
import { roundState } from "../../round/waitForRound.ts";
import type { ValidatorContext, ValidatorRound } from "../validatorContext.ts";
import { nextPreimage } from "./beaconPreimage.ts";
import { type Judgement, verdictCodes, yesBitmap } from "./judgeUpdates.ts";

/** Posts the verdict and reveals the next link of the hash chain, unless done before or too late. */
export async function postVerdict(
  validator: ValidatorContext,
  round: ValidatorRound,
  judgements: readonly Judgement[],
): Promise<void> {
  const { ledger, run, logger } = validator;
  const { round: view, phase } = await roundState(ledger, run, round.view.round);
  if (phase !== "judging" || hasBit(view.verdictBitmap, round.self.index)) return;
  const bitmap = yesBitmap(judgements);
  const { gasUsed } = await ledger.verdict(
    run,
    view.round,
    bitmap,
    verdictCodes(judgements),
    await nextPreimage(validator, round.self.id),
  );
  logger.info({ round: view.round, yes: bitmap.toString(2), gas: Number(gasUsed) }, "verdict posted");
}
