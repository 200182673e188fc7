// SPDX-License-Identifier: Apache-2.0
import type { NodeContext } from "./nodeContext.ts";

/** Waits for the settlement of an ended run and claims what it awards. */
export async function claimReward(node: NodeContext): Promise<void> {
  const { ledger, run, memberId, signal, logger } = node;
  while (!(await ledger.runView(run)).settled) await ledger.waitForBlockAfter(await ledger.blockNumber(), signal);
  const { reward, claimed } = await ledger.standingOf(run, memberId);
  if (reward === 0n || claimed) return;
  const { gasUsed } = await ledger.claim(run);
  logger.info({ run: run.toString(), reward: reward.toString(), gas: Number(gasUsed) }, "reward claimed");
}
