// SPDX-License-Identifier: Apache-2.0
import type { RunView } from "../protocol/ledger.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/**
 * Opens the next round when it is this validator's turn: the proposer of the last round at once, the others one view later each, so that one
 * of them is enough. For the first round it first waits, for at most a judging window, until every validator has registered its hash chain.
 */
export async function openNextRound(validator: ValidatorContext, run: RunView, closedSince: number): Promise<boolean> {
  const { ledger, params } = validator;
  const block = await ledger.blockNumber();
  const { validators } = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
  const self = validators.findIndex(({ signer }) => signer.toLowerCase() === ledger.account.toLowerCase());
  if (self < 0) return false;
  const next = run.lastRound + 1;
  const turn = (((self - run.lastRound) % validators.length) + validators.length) % validators.length;
  const waited = block - closedSince;
  if (waited < turn * params.viewBlocks) return false;
  if (waited < params.judgeBlocks) {
    const tips = await Promise.all(validators.map(({ id }) => ledger.beaconTip(run.run, id)));
    if (tips.includes(undefined)) return false;
  }
  try {
    const { gasUsed } = await ledger.openRound(run.run);
    validator.logger.info({ round: next, gas: Number(gasUsed) }, "round opened");
  } catch (error) {
    const { lastRound } = await ledger.runView(run.run);
    if (lastRound === run.lastRound) throw error;
  }
  return true;
}
