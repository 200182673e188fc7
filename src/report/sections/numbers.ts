// SPDX-License-Identifier: Apache-2.0
import { bytes, count, decimal, duration, norm, percent, UNKNOWN } from "../format.ts";
import { hash } from "../hash.ts";
import { madeModel, namedMembers, type PlacedRound } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RoundReport, RunReport, UpdateReport } from "../runReport.ts";
import { refusalSentence } from "./refusalSentence.ts";

/** The charts' numbers as a table, folded away. */
export function roundNumbers(report: RunReport, rounds: readonly PlacedRound[]): Html {
  return html`<details><summary>Figures of every round</summary><div class="scroller" tabindex="0" role="region" aria-label="Figures of every round"><table class="figures">
<caption>Figures of every round. L is of the model the round received.</caption>
<thead><tr><th scope="col">Round</th><th scope="col" class="text">Outcome</th><th scope="col">Accuracy</th><th scope="col">Held-out loss, nats</th><th scope="col">Reported loss L, nats</th><th scope="col">Update norm</th><th scope="col">Kept</th><th scope="col">Not kept</th><th scope="col">Refused</th><th scope="col">Gas</th><th scope="col">Time</th></tr></thead>
<tbody><tr><th scope="row">0</th><td class="text">genesis</td><td>${percent(report.genesis.accuracy)}</td>${Array.from({ length: 8 }, () => html`<td>${UNKNOWN}</td>`)}</tr>
${rounds.map(({ report: round }) => {
  const of = (outcome: UpdateReport["outcome"]) =>
    count(round.updates.filter((update) => update.outcome === outcome).length);
  // In a closing or failed round the rule decided about nobody.
  const ruled = (number: string) => (madeModel(round) ? number : UNKNOWN);
  const outcome =
    round.outcome === "failed"
      ? `failed: ${round.failure ?? "no reason on record"}`
      : round.closing
        ? "closing"
        : "finalised";
  return html`<tr><th scope="row">${round.round}</th><td class="text">${outcome}</td><td>${percent(round.accuracy)}</td><td>${decimal(round.heldOutLoss, 4)}</td><td>${decimal(round.reportedLoss, 4)}</td><td>${norm(round.updateNorm)}</td><td>${ruled(of("kept"))}</td><td>${ruled(of("not kept"))}</td><td>${of("refused")}</td><td>${count(round.gas)}</td><td>${duration(round.seconds)}</td></tr>`;
})}</tbody></table></div></details>`;
}

/** Every update that was committed, folded away: what pointing at a sign shows, for those who read, print or search. */
export function updateNumbers(report: RunReport): Html {
  const names = new Map(namedMembers(report).map(({ id, name }) => [id, name]));
  const updates = report.rounds.flatMap((round) => round.updates.map((update) => ({ round, update })));
  if (updates.length === 0) return html``;
  return html`<details><summary>Every committed update</summary><div class="scroller" tabindex="0" role="region" aria-label="Every committed update"><table class="figures">
<caption>Every committed update, by round and member</caption>
<thead><tr><th scope="col">Round</th><th scope="col" class="text">Member</th><th scope="col" class="text">Outcome</th><th scope="col">Yes votes</th><th scope="col">Weight λ</th><th scope="col">Score, nats</th><th scope="col">Samples</th><th scope="col">Size</th><th scope="col" class="text">Artifact</th></tr></thead>
<tbody>${updates.map(
    ({ round, update }) =>
      html`<tr><th scope="row">${round.round}</th><td class="text"><bdi>${names.get(update.memberId)}</bdi></td><td class="text">${outcomeOf(round, update)}</td><td>${count(update.yes)}</td><td>${madeModel(round) ? percent(update.weight) : UNKNOWN}</td><td>${madeModel(round) ? decimal(update.score, 4) : UNKNOWN}</td><td>${count(update.samples)}</td><td>${bytes(update.bytes)}</td><td class="text">${update.artifactCid === "" ? UNKNOWN : hash(update.artifactCid, "CID of the artifact")}</td></tr>`,
  )}</tbody></table></div></details>`;
}

function outcomeOf(round: RoundReport, update: UpdateReport): Html {
  if (update.refusal !== undefined)
    return html`refused: <span title="${refusalSentence(update.refusal.code)}">${update.refusal.code}</span>, by ${count(update.refusal.votes)}`;
  return html`${update.outcome === "refused" || madeModel(round) ? update.outcome : round.outcome === "failed" ? "no result" : "loss opened"}`;
}
