// SPDX-License-Identifier: Apache-2.0
import { splitReward } from "../incentives/splitReward.ts";
import type { ScoreDuties } from "./scoreDuties.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/**
 * Settles an ended run once the last challenge window has passed and all attested scores are booked. Anyone may; the first does it, the others
 * see that it is done.
 */
export async function settleRun(validator: ValidatorContext, duties: ScoreDuties): Promise<void> {
  const { ledger, run, params, signal } = validator;
  for (;;) {
    const { settled, lastRound } = await ledger.runView(run);
    if (settled) return;
    const block = await ledger.blockNumber();
    await duties.attend(lastRound);
    if (block > (await ledger.settlementBlock(run)) && (await ledger.pendingScores(run)) === 0) {
      const members = [];
      for (let memberId = 1, count = await ledger.memberCount(); memberId <= count; memberId++) {
        const { contribution, participation } = await ledger.standingOf(run, memberId);
        members.push({ memberId, contribution, participation: BigInt(participation) });
      }
      const split = splitReward(await ledger.settlementPool(run), params.omegaQ16, members);
      try {
        const { gasUsed } = await ledger.settle(run, split.contributionCutOff, split.participationCutOff);
        validator.logger.info({ run: run.toString(), gas: Number(gasUsed) }, "run settled");
        return;
      } catch (error) {
        if (!(await ledger.runView(run)).settled) throw error;
      }
    } else {
      await ledger.waitForBlockAfter(block, signal);
    }
  }
}
