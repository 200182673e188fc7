// SPDX-License-Identifier: Apache-2.0
import { fromHex, toHex } from "../../protocol/bytes.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { LedgerWriter } from "../../protocol/ledger.ts";
import { REFUSALS } from "../../protocol/refusals.ts";
import type { ValidatorContext } from "../../validator/validatorContext.ts";
import { decorate } from "../decorate.ts";

/** A validator that in one round votes no on everything and seals another result. */
export interface ValidatorFault {
  readonly kind: "lie";
  readonly round: number;
}

export function dishonestValidator(
  validator: ValidatorContext,
  { round: lyingRound }: ValidatorFault,
): ValidatorContext {
  const inner = validator.ledger;
  const verdict: LedgerWriter["verdict"] = (run, round, bitmap, codes, reveal) =>
    round === lyingRound
      ? inner.verdict(run, round, 0n, new Uint8Array(codes.length).fill(REFUSALS.NOT_SERVED.code), reveal)
      : inner.verdict(run, round, bitmap, codes, reveal);
  const attest: LedgerWriter["attest"] = (run, round, seal) =>
    inner.attest(run, round, round === lyingRound ? toHex(keccak256(fromHex(seal))) : seal);
  return { ...validator, ledger: decorate(inner, { verdict, attest }) };
}
