// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";

/** The links of the chain of evidence, each with what it claims. An audit that fails names the false one. */
export const LINKS = {
  records: "What the endpoint answers is well-formed and agrees with itself.",
  parameters: "The run's parameters hash to the digest that every head binds.",
  genesis: "h^0 binds the parameters and the initial checkpoint.",
  recipe: "The recipe in the store is the one named on chain.",
  heldOut: "The public held-out set in the store is the one the recipe names.",
  lineage: "The round's parent is the head of the last finalised round before it.",
  validatorSet: "The round's validators hash to the digest in its head.",
  commitment: "Every commit bears the signature of a member of the round, invited and within its limits.",
  verdict: "Every verdict reveals the next link of its validator's hash chain.",
  accepted: "The accepted updates are those with f+1 yes verdicts.",
  beacon: "R_t follows from R_{t−1} and the reveals.",
  artifact: "The bytes of every accepted update are in the store and valid.",
  aggregate: "Rule, kept set and weights are what the accepted updates give.",
  checkpoint: "The checkpoint in the store is what rule and server optimiser make of its parent, bit for bit.",
  scores:
    "The scores are the Shapley values of the kept updates; attested ones are the lower medians of what was revealed, and booked before settling.",
  reveal: "With attested scores every seal comes with a commitment, and every revealed vector opens its validator's.",
  participants: "The participants' root lists the accepted updates with their weights.",
  reportedLoss: "L is the weighted mean of the opened losses.",
  attestation:
    "q validators sealed exactly this result, and every recorded seal is what its validator is said to have sealed.",
  proof: "The zero-knowledge proof shows L for the committed losses.",
  head: "h^t binds the result, the validators, the rule and the parameters, and is the head that was asked for.",
  reputation: "Reputations, contributions and participations follow from the rounds.",
  settlement: "The rewards follow from contributions and participations, and add up to the pool.",
} as const;

export type Link = keyof typeof LINKS;

/** Thrown by a check: this link is false, for this reason. */
export class FalseLink extends FoedusError {
  readonly link: Link;

  constructor(link: Link, detail: string, cause?: unknown) {
    super("AUDIT_FAILED", detail, { values: { link }, cause });
    this.name = "FalseLink";
    this.link = link;
  }
}

/** Fails the link unless `actual` is what replaying gives. */
export function requireEqual(link: Link, what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected)
    throw new FalseLink(link, `${what} is ${String(actual)}; replaying gives ${String(expected)}.`);
}
