// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { documentOf } from "../document.ts";
import { count, decimal, duration, percent, plural, UNKNOWN } from "../format.ts";
import { type Html, html, trusted } from "../markup.ts";
import type { MethodEvidence, UnlearningReport } from "./unlearningReport.ts";

const STYLE = readFileSync(new URL("../page/figures.css", import.meta.url), "utf8");

const NAMES: Readonly<Record<MethodEvidence["method"], string>> = {
  exact: "Exact replay",
  recompute: "Recomputing from stored uploads",
  eraser: "FedEraser",
  sharded: "Replay of the member's group",
};

/**
 * The page of an unlearning: one document that loads nothing and runs nothing, and its content security policy says so. The same report gives the
 * same bytes.
 *
 * @returns the document, to be written as UTF-8
 */
export function renderUnlearning(report: UnlearningReport): string {
  const title = `Member ${report.member} of ${report.experiment}`;
  const body = html`<header><h1>${report.holds ? "✔" : "✘"} Forgetting ${title}</h1><p>${summary(report)}</p></header>
<main>
${verdicts(report)}
${heads(report)}
${membership(report)}
${accuracies(report)}
${distances(report)}
${costs(report)}
${deleted(report)}
${privacy(report)}
</main>
<footer><p class="note">Seed ${report.seed}; sources ${report.code}. The same command gives the same models, to the bit, on this kind of machine.</p></footer>`;
  return documentOf(`Unlearning: ${title}`, { style: trusted(STYLE) }, body);
}

function summary({
  federation,
  labels,
  firstRound,
  participations,
  group,
  earlier,
  attacker,
  member,
}: UnlearningReport): Html {
  const cell = Object.entries(labels).map(([axis, choice]) => `${axis} ${choice}`);
  return html`${cell.length > 0 && html`${cell.join(", ")}. `}${federation.members} members, ${federation.cohort} a round, ${plural(federation.rounds, "round")} of ${federation.client} under ${federation.rule} on ${federation.data}; ${federation.model} with ${count(federation.parameters)} parameters. ${
    firstRound === null
      ? "No update of the member ever entered the model."
      : `Updates of member ${member} entered ${plural(participations, "round")}, the first in round ${firstRound}.`
  }${group !== null && ` It is in group ${group.index + 1} of ${group.groups}, with members ${group.members.filter((id) => id !== member).join(", ")}.`}${earlier.length > 0 && ` Forgotten before: ${earlier.join(", ")}.`}${attacker && " It attacked; what the rule made of the others was decided anew."}`;
}

function verdicts({ methods, leftOut }: UnlearningReport): Html {
  return html`<section><h2>Verdict</h2>
<ul class="claims">${methods.flatMap(({ method, checks }) =>
    checks.map(
      ({ claim, holds }) =>
        html`<li class="${holds ? "holds" : "fails"}"><span aria-hidden="true">${holds ? "✔" : "✘"}</span> <b>${NAMES[method]}</b>: ${claim}${!holds && html` <small>(does not hold)</small>`}</li>`,
    ),
  )}</ul>
${leftOut.length > 0 && html`<p class="note">Not possible here: ${[...Map.groupBy(leftOut, (one) => one.because)].map(([because, out]) => html`<b>${out.map(({ method }) => method).join(", ")}</b>: ${because}. `)}</p>`}</section>`;
}

function heads({ methods, before, retrained }: UnlearningReport): Html {
  return html`<section><h2>(a) Equality with training without the member</h2>
<p class="question">To train without a member is to draw every cohort from all members as before and to leave its place empty. That training was done from the initial model, by itself, and the heads (keccak256 of the master model) are compared.</p>
${table(
  ["", "head", "equal", "rounds run again", "rounds that failed"],
  [
    ["With the member", before.head, "", "", ""],
    ["Trained without it", retrained.head, "", "", ""],
    ...methods.map(({ method, head, equalsRetrained, replayed, failed }) => [
      NAMES[method],
      head,
      equalsRetrained ? "yes" : "no",
      replayed === null ? UNKNOWN : `${replayed.rounds}, from round ${replayed.from} on`,
      failed.length === 0 ? "none" : failed.map(({ round, reason }) => `${round} (${reason})`).join(", "),
    ]),
  ],
)}</section>`;
}

function membership({ methods, before, retrained, membershipTest: test }: UnlearningReport): Html {
  return html`<section><h2>(b) Can the member's samples be told?</h2>
<p class="question">Area under the ROC of a threshold on a sample's loss: ${count(test.memberSamples)} samples that the member trained on against ${count(test.heldOutSamples)} that nobody trained on (${
    test.heldOut === "own" ? "the member's own test samples" : "the test set"
  }), class by class. ½ is chance; ½ ± 0.05 is asked. With so few samples chance alone gives ± ${decimal(test.standardError, 3)} (one standard error). A model that never saw the member may lie off ½ as well, where the member's samples are unlike the others'.</p>
${!test.memorised && html`<p class="note"><b>The model with the member tells its samples hardly better than the model that never saw them. This test shows nothing here.</b></p>`}
${table(
  ["", "AUROC", "within ½ ± 0.05", "as the model that never saw it ± 0.05"],
  [
    [
      "With the member",
      decimal(before.auroc, 3),
      yes(Math.abs(before.auroc - 0.5) <= 0.05),
      yes(Math.abs(before.auroc - retrained.auroc) <= 0.05),
    ],
    ["Trained without it", decimal(retrained.auroc, 3), yes(Math.abs(retrained.auroc - 0.5) <= 0.05), ""],
    ...methods.map(({ method, membership: { after, withinAsked, asUnseen } }) => [
      NAMES[method],
      decimal(after, 3),
      yes(withinAsked),
      yes(asUnseen),
    ]),
  ],
)}</section>`;
}

function accuracies({ methods, before, retrained, othersOn }: UnlearningReport): Html {
  return html`<section><h2>(c) What it costs the others</h2>
<p class="question">Accuracy on the test set, and the mean of the other honest members' on their ${othersOn}.</p>
${table(
  ["", "test set", "change", "others", "change", "worst change"],
  [
    ["With the member", percent(before.accuracy), "", percent(before.othersMean), "", ""],
    [
      "Trained without it",
      percent(retrained.accuracy),
      points(retrained.accuracy - before.accuracy),
      percent(retrained.othersMean),
      points(retrained.othersMean - before.othersMean),
      "",
    ],
    ...methods.map(({ method, accuracy, others: { mean, worst } }) => [
      NAMES[method],
      percent(accuracy),
      points(accuracy - before.accuracy),
      percent(mean),
      points(mean - before.othersMean),
      worst === null ? UNKNOWN : `${points(worst.change)} (member ${worst.member})`,
    ]),
  ],
)}</section>`;
}

function distances({ methods, before }: UnlearningReport): Html {
  return html`<section><h2>(d) Distance to the model trained without it</h2>
<p class="question">‖w − w′‖ ∕ ‖w′‖. Doing nothing is the first row: an approximation that is not nearer has moved the model elsewhere rather than back.</p>
${table(
  ["", "relative distance"],
  [
    ["With the member", decimal(before.distance, 5)],
    ...methods.map(({ method, distance }) => [NAMES[method], distance === 0 ? "0" : decimal(distance, 5)]),
  ],
)}</section>`;
}

function costs({ methods, retrained }: UnlearningReport): Html {
  return html`<section><h2>(e) Cost</h2>
<p class="question">Client-rounds: one member's training in one round. The comparison itself cost the last row once more.</p>
${table(
  ["", "client-rounds", "of training anew", "time"],
  [
    ...methods.map(({ method, clientRounds, seconds }) => [
      NAMES[method],
      decimal(clientRounds, 1),
      percent(clientRounds / retrained.clientRounds),
      duration(seconds),
    ]),
    ["Training anew without it", decimal(retrained.clientRounds, 1), "100%", duration(retrained.seconds)],
  ],
)}</section>`;
}

function deleted({ deletion }: UnlearningReport): Html {
  const { items, standings, contributions, notUndone, done, why } = deletion;
  const scored = contributions !== null;
  return html`<section><h2>(f) What was deleted, and what is not undone</h2>
<p class="question">${why}</p>
${table(
  [done ? "deleted" : "kept", "how much"],
  items.map(({ what, amount }) => [what, amount]),
)}
<p class="note">Not undone:</p>
<ul>${notUndone.map((sentence) => html`<li>${sentence}</li>`)}</ul>
<h3>The others' standing, recomputed from the rounds without the member</h3>
${contributions !== null && html`<p class="question">Sum of their contributions: ${nats(contributions[0])} before, ${nats(contributions[1])} after (nats).</p>`}
${table(
  ["member", "reputation before", "after", ...(scored ? ["contribution before", "after"] : [])],
  standings.map(({ member, reputation, contribution }) => [
    String(member),
    ...reputation.map((value) => decimal(value / 65_536, 4)),
    ...(scored ? contribution.map((value) => (value === null ? UNKNOWN : nats(value))) : []),
  ]),
)}</section>`;
}

function privacy({ privacy: spent }: UnlearningReport): Html | undefined {
  if (spent === null) return undefined;
  return html`<section><h2>What privacy promises by itself</h2>
<p class="question">The federation is private (${spent.mode}): whether one ${spent.unit} took part changes the probability of any model by at most a factor e^ε, up to δ, with ε = ${decimal(spent.epsilon, 3)} and δ = ${String(spent.delta)}. This holds without forgetting anybody, for everybody, and for k ${spent.unit}s together with kε (group privacy). ${
    spent.unit === "record"
      ? "Of a whole member's records together it promises next to nothing."
      : "Where ε is small, it is an alternative to unlearning."
  } Replaying costs the others: every round that is run again is one more release of their data, which a real member's budget would be charged for.</p></section>`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): Html {
  return html`<div class="wide"><table><thead><tr>${headings.map((heading) => html`<th scope="col">${heading}</th>`)}</tr></thead>
<tbody>${rows.map(([first = "", ...cells]) => html`<tr><th scope="row">${first}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

function yes(value: boolean): string {
  return value ? "yes" : "no";
}

function points(change: number): string {
  return `${change > 0 ? "+" : ""}${decimal(100 * change, 1)} points`;
}

function nats(value: number): string {
  return decimal(value / 1_048_576, 5);
}
