// SPDX-License-Identifier: Apache-2.0
import { count, decimal, percent } from "../format.ts";
import { type MemberState, memberGlyph } from "../glyphs.ts";
import { madeModel, type NamedMember, type PlacedRound, updateOf } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RoundReport, UpdateReport } from "../runReport.ts";
import { updateTip } from "./tips.ts";

const WORDS: Readonly<Record<MemberState, string>> = {
  kept: "Kept by the rule.",
  "not-kept": "Accepted by the validators, not kept by the rule.",
  refused: "Refused by the validators.",
  absent: "Committed nothing.",
  "loss-only": "Opened its loss; a closing round has no updates.",
  void: "Committed, but the round has no result.",
};

/** One member across all rounds. */
export function memberRow(member: NamedMember, rounds: readonly PlacedRound[], largestWeight: number): Html {
  const taken = rounds.filter(({ report }) => madeModel(report));
  const kept = taken.filter(({ report }) => updateOf(report, member.id)?.outcome === "kept").length;
  return html`<tr><th scope="row"><bdi>${member.name}</bdi><small>${count(kept)} of ${count(taken.length)}</small></th><td data-column="0"></td>${rounds.map(({ report, column }) => cell(member, report, column, largestWeight))}</tr>`;
}

function cell(member: NamedMember, round: RoundReport, column: number, largestWeight: number): Html {
  const update = updateOf(round, member.id);
  const state = memberState(round, update);
  return html`<td data-column="${column}"${round.outcome === "failed" && html` class="void"`}><button type="button" class="cell" data-tip="${updateTip(member.name, round, update, WORDS[state])}">${memberGlyph(state, (update?.weight ?? 0) / largestWeight)}<span class="sr">${spoken(round, update, state)}</span></button></td>`;
}

export function memberState(round: RoundReport, update: UpdateReport | undefined): MemberState {
  if (update === undefined) return "absent";
  if (update.outcome === "refused") return "refused";
  if (round.outcome === "failed") return "void";
  if (round.closing) return "loss-only";
  return update.outcome === "kept" ? "kept" : "not-kept";
}

function spoken(round: RoundReport, update: UpdateReport | undefined, state: MemberState): string {
  const sentence = WORDS[state];
  if (update === undefined || !madeModel(round)) return sentence;
  return `${sentence} ${update.refusal === undefined ? "" : `${update.refusal.code}. `}Weight ${percent(update.weight)}, score ${decimal(update.score, 4)} nats, ${count(update.yes)} yes.`;
}
