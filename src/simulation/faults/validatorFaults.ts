// SPDX-License-Identifier: Apache-2.0
import { fromHex, toHex } from "../../protocol/bytes.ts";
import { ZERO_WORD } from "../../protocol/commitment.ts";
import { keccak256 } from "../../protocol/hash.ts";
import type { LedgerWriter } from "../../protocol/ledger.ts";
import { REFUSALS } from "../../protocol/refusals.ts";
import type { ValidatorContext } from "../../validator/validatorContext.ts";
import { decorate } from "../decorate.ts";

/** A validator that in one round votes no on everything and seals another result, or one that never shows the scores it committed to. */
export type ValidatorFault = { readonly kind: "lie"; readonly round: number } | { readonly kind: "hide-scores" };

export function dishonestValidator(validator: ValidatorContext, fault: ValidatorFault): ValidatorContext {
  const inner = validator.ledger;
  if (fault.kind === "hide-scores") {
    const revealScores: LedgerWriter["revealScores"] = async () => ({ transaction: ZERO_WORD, block: 0, gasUsed: 0n });
    return { ...validator, ledger: decorate(inner, { revealScores }) };
  }
  const { round: lyingRound } = fault;
  const verdict: LedgerWriter["verdict"] = (run, round, bitmap, codes, reveal) =>
    round === lyingRound
      ? inner.verdict(run, round, 0n, new Uint8Array(codes.length).fill(REFUSALS.NOT_SERVED.code), reveal)
      : inner.verdict(run, round, bitmap, codes, reveal);
  const attest: LedgerWriter["attest"] = (run, round, seal, scores) =>
    inner.attest(run, round, round === lyingRound ? toHex(keccak256(fromHex(seal))) : seal, scores);
  return { ...validator, ledger: decorate(inner, { verdict, attest }) };
}
