// SPDX-License-Identifier: Apache-2.0
import { plural } from "../format.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";

/** What the auditor found, and what it found when an operator lied to it. */
export function audit(report: RunReport): Html {
  return html`<section id="audit" aria-labelledby="audit-heading">
<h2 id="audit-heading">Audit and tampering</h2>
${auditResult(report)}
${tampering(report)}
</section>`;
}

function auditResult({ audit: result }: RunReport): Html {
  if (result === undefined) return html`<p class="lede">No audit is on record for this run.</p>`;
  const lede = html`<p class="lede">The auditor had a chain endpoint and a store and nothing else. It repeated verification, aggregation, scoring and settlement: ${plural(result.rounds, "round")}, ${plural(result.checks, "check")}, ${result.failures.length === 0 ? (result.ok ? "none failed" : "and the audit failed without naming a link") : `${plural(result.failures.length, "failure")}`}.</p>`;
  if (result.failures.length === 0) return lede;
  return html`${lede}<table class="plain"><caption>Links that do not hold</caption><thead><tr><th scope="col">Round</th><th scope="col">False link</th><th scope="col">What was found</th></tr></thead>
<tbody>${result.failures.map((failure) => html`<tr><td>${roundName(failure.round)}</td><th scope="row" class="bad">${failure.link}</th><td>${failure.detail}</td></tr>`)}</tbody></table>`;
}

function tampering({ tampering: attempts }: RunReport): Html {
  if (attempts.length === 0) return html`<p class="quiet">No tampering was tried on this run.</p>`;
  return html`<table class="plain tampering"><caption>What a dishonest operator changed, and the link the auditor named</caption>
<thead><tr><th scope="col">The operator changed</th><th scope="col">The auditor</th><th scope="col">Round</th><th scope="col">Link named</th></tr></thead>
<tbody>${attempts.map((attempt) => html`<tr><th scope="row">${attempt.what}</th><td class="${attempt.detected ? "good" : "bad"}">${attempt.detected ? "noticed" : "missed it"}</td><td>${attempt.detected ? roundName(attempt.round) : "–"}</td><td>${attempt.link === "" ? "–" : html`<code>${attempt.link}</code>`}</td></tr>`)}</tbody></table>`;
}

function roundName(round: number | null): string {
  return round === null ? "settlement" : String(round);
}
