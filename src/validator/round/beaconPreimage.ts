// SPDX-License-Identifier: Apache-2.0
import { hashChain } from "../../protocol/beacon.ts";
import type { Hex } from "../../protocol/bytes.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/** The validator's hash chain of this run: one preimage for every round that can be opened. */
export function beaconChain(validator: ValidatorContext): Hex[] {
  return hashChain(validator.beaconSecret, validator.run, validator.params.maxOpenings);
}

/** The preimage that the next verdict reveals. */
export async function nextPreimage(validator: ValidatorContext, validatorId: number): Promise<Hex> {
  const tip = await validator.ledger.beaconTip(validator.run, validatorId);
  const chain = beaconChain(validator);
  const position = tip === undefined ? -1 : chain.indexOf(tip);
  const preimage = chain[position + 1];
  if (position < 0 || preimage === undefined) {
    throw new FoedusError(
      "BEACON_CHAIN_UNKNOWN",
      `The chain's beacon tip ${tip ?? "(none)"} of run ${validator.run} is not in this validator's hash chain; restore the key file that registered it.`,
    );
  }
  return preimage;
}
