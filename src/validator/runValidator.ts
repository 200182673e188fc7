// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";
import { isClosed, roundState, waitForRound } from "../round/waitForRound.ts";
import { openNextRound } from "./openNextRound.ts";
import { beaconChain } from "./round/beaconPreimage.ts";
import { runRound } from "./runRound.ts";
import { ScoreDuties } from "./scoreDuties.ts";
import { serveRun } from "./serveRun.ts";
import { settleRun } from "./settleRun.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/** Serves a run until it is settled. Stopping it anywhere loses nothing: it resumes from chain and store. */
export async function runValidator(validator: ValidatorContext): Promise<void> {
  await registerBeaconChain(validator);
  await serveRun(validator);
  const duties = new ScoreDuties(validator);
  let done = 0;
  let closedSince: number | undefined;
  for (;;) {
    validator.signal.throwIfAborted();
    const run = await validator.ledger.runView(validator.run);
    // Before the next round: what was committed in the last one can be revealed for a while only.
    await duties.attend(run.lastRound);
    if (run.ended) return settleRun(validator, duties);
    const current = run.lastRound === 0 ? undefined : await roundState(validator.ledger, validator.run, run.lastRound);
    if (current !== undefined && !isClosed(current) && run.lastRound > done) {
      await tryRound(validator, run.lastRound, () => runRound(validator, current.round, duties));
      done = run.lastRound;
      closedSince = undefined;
      continue;
    }
    const block = await validator.ledger.blockNumber();
    if (current === undefined || isClosed(current)) {
      closedSince ??= block;
      if (await openNextRound(validator, run, closedSince)) {
        closedSince = undefined;
        continue;
      }
    }
    await validator.ledger.waitForBlockAfter(block, validator.signal);
  }
}

/** Times that a round is tried; every step leaves out what the chain shows as done. */
const ATTEMPTS = 3;

/**
 * A round this validator cannot take part in must not end the validator: it says why, tries again a view later (a peer or an endpoint may have
 * come back), and goes on with the next round. What only the operator can mend does end it.
 */
async function tryRound(validator: ValidatorContext, round: number, run: () => Promise<void>): Promise<void> {
  const { ledger, logger, params, signal } = validator;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await run();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FoedusError && error.exitCode !== EXIT.verificationFailed) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      logger.error({ round, attempt, error: reason }, "this validator could not complete the round");
      const retryAt = (await ledger.blockNumber()) + params.viewBlocks;
      const state = await waitForRound(
        ledger,
        validator.run,
        round,
        (current) => isClosed(current) || current.block >= retryAt,
        signal,
      );
      if (isClosed(state)) return;
    }
  }
}

async function registerBeaconChain(validator: ValidatorContext): Promise<void> {
  const { ledger, run } = validator;
  const { validators } = await ledger.validatorSet(await ledger.latestValidatorSetVersion());
  const self = validators.find(({ signer }) => signer.toLowerCase() === ledger.account.toLowerCase());
  if (self === undefined || (await ledger.beaconTip(run, self.id)) !== undefined) return;
  await ledger.registerBeaconChain(run, beaconChain(validator)[0] as `0x${string}`);
  validator.logger.info({ run: run.toString() }, "hash chain registered");
}
