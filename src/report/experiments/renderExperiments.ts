// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { documentOf } from "../document.ts";
import { decimal, UNKNOWN } from "../format.ts";
import { type Html, html, trusted } from "../markup.ts";
import { curves } from "./curves.ts";
import type { ClaimReport, ExperimentReport } from "./experimentReport.ts";
import { fairnessDetails, testDetails } from "./statistics.ts";
import { fairnessBars, figuresTable, resultsTable, robustnessTable } from "./tables.ts";

const STYLE = readFileSync(new URL("../page/figures.css", import.meta.url), "utf8");

/**
 * One page of experiments that needs nothing else: it loads nothing and runs nothing, and its content security policy says so. The same reports give the same
 * bytes.
 *
 * @returns the document, to be written as UTF-8
 */
export function renderExperiments(reports: readonly ExperimentReport[]): string {
  const body = html`<header><h1>Experiments</h1><p>Federations simulated with the code of nodes and validators. Figures are means over seeds; differences below about two points are noise unless a test says otherwise.</p></header>
${reports.length > 1 && html`<nav aria-label="Experiments">${reports.map(({ name, title, claims }) => html`<a href="#${name}">${mark(claims)}${title}</a>`)}</nav>`}
<main>${reports.map(section)}</main>`;
  return documentOf("Experiments", { style: trusted(STYLE) }, body);
}

function mark(claims: readonly ClaimReport[]): string {
  if (claims.length === 0) return "";
  return claims.every(({ holds }) => holds) ? "✔ " : "✘ ";
}

function section(report: ExperimentReport): Html {
  return html`<section id="${report.name}"><h2>${mark(report.claims)}${report.title}</h2>
${report.question !== "" && html`<p class="question">${report.question}</p>`}
${report.reading !== "" && html`<p class="question"><b>Reading.</b> ${report.reading}</p>`}
${report.claims.length > 0 && html`<ul class="claims">${report.claims.map(claim)}</ul>`}
${curves(report.groups, report.axes)}
${robustnessTable(report)}
${fairnessBars(report)}
${resultsTable(report)}
${figuresTable(report)}
${fairnessDetails(report)}
${testDetails(report)}
</section>`;
}

function claim({ claim: sentence, holds, value, min, max }: ClaimReport): Html {
  const bounds = [min === undefined ? [] : [`at least ${min}`], max === undefined ? [] : [`at most ${max}`]]
    .flat()
    .join(", ");
  return html`<li class="${holds ? "holds" : "fails"}"><span aria-hidden="true">${holds ? "✔" : "✘"}</span> ${sentence} <span class="figure">${value === null ? UNKNOWN : decimal(value, 3)}</span> <small>(${bounds}${holds ? "" : "; does not hold"})</small></li>`;
}
