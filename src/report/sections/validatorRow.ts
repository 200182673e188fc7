// SPDX-License-Identifier: Apache-2.0
import { count, shorten } from "../format.ts";
import { type ValidatorState, validatorGlyph } from "../glyphs.ts";
import type { PlacedRound } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RoundReport, RunReport } from "../runReport.ts";
import { roundTitle } from "./tips.ts";

const WORDS: Readonly<Record<ValidatorState, string>> = {
  agreed: "Sealed the result that became final.",
  outvoted: "Sealed another result than the quorum, and was outvoted.",
  "verdict-only": "Gave a verdict but no attestation.",
  absent: "Gave neither verdict nor attestation.",
  sealed: "Attested, but the round has no result.",
};

/** One validator across all rounds. */
export function validatorRow(validator: RunReport["validators"][number], rounds: readonly PlacedRound[]): Html {
  return html`<tr><th scope="row">Validator ${validator.id}<small class="mono" title="${validator.signer}">${shorten(validator.signer).slice(0, 8)}</small></th><td data-column="0"></td>${rounds.map(({ report, column }) => cell(validator, report, column))}</tr>`;
}

function cell(
  { id, index }: { readonly id: number; readonly index: number },
  round: RoundReport,
  column: number,
): Html {
  const state = validatorState(round, index);
  const proposer = round.proposer === index;
  const tip = [
    `Validator ${id}, ${roundTitle(round).toLowerCase()}`,
    WORDS[state],
    ...facts(round, index, proposer),
  ].join("\n");
  return html`<td data-column="${column}"${round.outcome === "failed" && html` class="void"`}><button type="button" class="cell" data-tip="${tip}">${validatorGlyph(state, proposer)}<span class="sr">${WORDS[state]}${proposer ? " Proposer." : ""}</span></button></td>`;
}

export function validatorState(round: RoundReport, index: number): ValidatorState {
  const validator = round.validators.find((candidate) => candidate.index === index);
  if (validator === undefined || (!validator.attested && !validator.verdict)) return "absent";
  if (!validator.attested) return "verdict-only";
  if (round.outcome === "failed") return "sealed";
  return validator.agreed ? "agreed" : "outvoted";
}

function facts(round: RoundReport, index: number, proposer: boolean): readonly string[] {
  const validator = round.validators.find((candidate) => candidate.index === index);
  const yes = (value: boolean | undefined) => (value === true ? "yes" : "no");
  const lines = [`Verdict\t${yes(validator?.verdict)}`, `Attested\t${yes(validator?.attested)}`];
  return proposer ? [...lines, `Proposer\tin view ${round.view ?? 0}`] : lines;
}

/** Views that passed before each round was finalised: above 0, a proposer did not act and the next one took over. */
export function viewRow(rounds: readonly PlacedRound[]): Html {
  return html`<tr class="views"><th scope="row">View<small>when finalised</small></th><td data-column="0"></td>${rounds.map(({ report, column }) => html`<td data-column="${column}" class="${(report.view ?? 0) > 0 ? "late" : ""}${report.outcome === "failed" ? " void" : ""}">${count(report.view)}</td>`)}</tr>`;
}
