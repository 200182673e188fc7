// SPDX-License-Identifier: Apache-2.0
import type { Hex } from "../protocol/bytes.ts";
import type { LedgerReader, RoundView, ValidatorSet } from "../protocol/ledger.ts";

/** Who can open the sealed losses of a round, in the order of the wraps. */
export interface Recipients {
  readonly validatorSet: ValidatorSet;
  /** X25519 public keys: the round's validators by index, then the auditors active at the opening by id. */
  readonly keys: readonly Hex[];
}

export async function recipientsOf(ledger: LedgerReader, round: RoundView): Promise<Recipients> {
  const [validatorSet, auditors] = await Promise.all([
    ledger.validatorSet(round.validatorSetVersion),
    ledger.auditorsAt(round.facts.openedBlock),
  ]);
  return { validatorSet, keys: [...validatorSet.validators, ...auditors].map(({ encryptionKey }) => encryptionKey) };
}
