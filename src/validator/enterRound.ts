// SPDX-License-Identifier: Apache-2.0
import type { RoundView } from "../protocol/ledger.ts";
import { recipientsOf } from "../round/recipients.ts";
import type { ValidatorContext, ValidatorRound } from "./validatorContext.ts";

/** The round as this validator sees it; undefined when it is not in the round's set. */
export async function enterRound(
  { ledger, logger }: ValidatorContext,
  view: RoundView,
): Promise<ValidatorRound | undefined> {
  const recipients = await recipientsOf(ledger, view);
  const account = ledger.account.toLowerCase();
  const self = recipients.validatorSet.validators.find(({ signer }) => signer.toLowerCase() === account);
  if (self !== undefined) return { view, recipients, self };
  logger.warn({ round: view.round, account: ledger.account }, "not in this round's validator set");
  return undefined;
}
