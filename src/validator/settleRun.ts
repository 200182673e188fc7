// SPDX-License-Identifier: Apache-2.0
import { splitReward } from "../incentives/splitReward.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/** Settles an ended run once the last challenge window has passed. Anyone may; the first does it, the others see that it is done. */
export async function settleRun(validator: ValidatorContext): Promise<void> {
  const { ledger, run, params, signal } = validator;
  for (;;) {
    if ((await ledger.runView(run)).settled) return;
    const block = await ledger.blockNumber();
    if (block > (await ledger.settlementBlock(run))) {
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
