// SPDX-License-Identifier: Apache-2.0
import type { AggregateInput } from "./aggregate.ts";
import { AggregationError } from "./aggregationError.ts";
import type { RoundFacts, RuleInput, RuleNeeds } from "./rule.ts";

/** Integers that each fact may hold, both ends included. */
const RANGES: Readonly<Record<Exclude<keyof RoundFacts, "root">, readonly [number, number]>> = {
  contributions: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  accuracies: [0, 65_536],
  staleness: [0, 4_294_967_295],
  memberState: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};
/** Facts that a member may be without: nothing was ever known of it. */
const MAY_BE_ABSENT: readonly string[] = ["contributions", "memberState"];

/**
 * The facts that a rule needs, complete and in their ranges; the losses from the updates' opened seals.
 *
 * @throws AggregationError LOSSES_SEALED, MISSING_FACT; BAD_INPUT for lists that do not belong to the updates.
 */
export function requireFacts(
  rule: string,
  needs: RuleNeeds,
  { updates, layout, facts = {} }: Pick<AggregateInput, "updates" | "layout" | "facts">,
): Pick<RuleInput, "losses" | "facts"> {
  const losses =
    needs.losses === true ? updates.map(({ memberId, opening }) => openedLoss(rule, memberId, opening)) : [];
  for (const fact of Object.keys(needs) as (keyof RuleNeeds)[]) {
    if (fact === "losses") continue;
    if (facts[fact] === undefined)
      throw new AggregationError(
        "MISSING_FACT",
        `${rule} decides from ${fact}, which nobody handed in; ask needsOf before choosing a rule.`,
        { rule, fact },
      );
    if (fact === "root") requireRoot(facts.root?.size, layout.size);
    else requireList(fact, facts[fact] as readonly (number | undefined)[], updates.length);
  }
  return { losses, facts };
}

function openedLoss(rule: string, memberId: number, opening: { readonly loss: number } | undefined): number {
  if (opening !== undefined) return opening.loss;
  throw new AggregationError(
    "LOSSES_SEALED",
    `${rule} weighs by reported losses, and that of member ${memberId} is sealed: only who holds a recipient's key can decide this round.`,
    { rule, memberId },
  );
}

function requireRoot(size: number | undefined, expected: number): void {
  if (size !== expected)
    throw new AggregationError("BAD_INPUT", `The root update has ${size} coordinates, the layout ${expected}.`);
}

function requireList(fact: keyof typeof RANGES, values: readonly (number | undefined)[], count: number): void {
  const [low, high] = RANGES[fact];
  if (values.length !== count)
    throw new AggregationError("BAD_INPUT", `${values.length} ${fact} do not belong to ${count} updates.`);
  for (const value of values) {
    if (value === undefined ? MAY_BE_ABSENT.includes(fact) : Number.isInteger(value) && value >= low && value <= high)
      continue;
    throw new AggregationError("BAD_INPUT", `${value} in ${fact}; an integer from ${low} to ${high} is needed.`);
  }
}
