// SPDX-License-Identifier: Apache-2.0
import { type MemberState, memberGlyph, type ValidatorState, validatorGlyph } from "../glyphs.ts";
import { namedMembers, updateOf } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";
import { memberState } from "./memberRow.ts";
import { validatorState } from "./validatorRow.ts";

const MEMBERS: readonly (readonly [MemberState, string])[] = [
  ["kept", "kept, area is weight"],
  ["not-kept", "not kept by the rule"],
  ["refused", "refused by the validators"],
  ["absent", "nothing committed"],
  ["loss-only", "closing round, loss only"],
  ["void", "round without result"],
];

const VALIDATORS: readonly (readonly [ValidatorState, string])[] = [
  ["agreed", "sealed the final result"],
  ["outvoted", "sealed another and was outvoted"],
  ["verdict-only", "verdict, no attestation"],
  ["absent", "neither"],
  ["sealed", "attested, round without result"],
];

/** The signs of the members' grid that occur in this run. */
export function memberLegend(report: RunReport): Html {
  const members = namedMembers(report);
  const seen = new Set(
    report.rounds.flatMap((round) => members.map(({ id }) => memberState(round, updateOf(round, id)))),
  );
  return legend(
    MEMBERS.filter(([state]) => seen.has(state)).map(([state, meaning]) => [memberGlyph(state, 0.5), meaning]),
  );
}

/** The signs of the validators' grid that occur in this run. */
export function validatorLegend(report: RunReport): Html {
  const seen = new Set(
    report.rounds.flatMap((round) => report.validators.map(({ index }) => validatorState(round, index))),
  );
  const states = VALIDATORS.filter(([state]) => seen.has(state)).map(
    ([state, meaning]) => [validatorGlyph(state), meaning] as const,
  );
  const proposed = report.rounds.some((round) => round.proposer !== undefined);
  return legend(proposed ? [...states, [validatorGlyph("agreed", true), "underlined: proposer"]] : states);
}

function legend(entries: readonly (readonly [Html, string])[]): Html {
  return html`<ul class="legend">${entries.map(([sign, meaning]) => html`<li>${sign}${meaning}</li>`)}</ul>`;
}
