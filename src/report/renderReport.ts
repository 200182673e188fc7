// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { documentOf } from "./document.ts";
import { html, trusted } from "./markup.ts";
import type { RunReport } from "./runReport.ts";
import { audit } from "./sections/audit.ts";
import { chain } from "./sections/chain.ts";
import { costs } from "./sections/costs.ts";
import { footer } from "./sections/footer.ts";
import { header } from "./sections/header.ts";
import { rewards } from "./sections/rewards.ts";
import { timeline } from "./sections/timeline.ts";

const STYLE = readFileSync(new URL("./page/report.css", import.meta.url), "utf8");
const SCRIPT = readFileSync(new URL("./page/report.js", import.meta.url), "utf8");

/**
 * The page of a finished run: one HTML document that needs nothing else. It loads nothing, and its content security policy lets nothing
 * load: only the style sheet and the script of this page, by their digests, may apply. The same report gives the same bytes.
 *
 * @param report collected from chain and store; its text is not trusted and appears as text only
 * @returns the document, to be written as UTF-8
 */
export function renderReport(report: RunReport): string {
  const style = trusted(`:root{--columns:${report.rounds.length + 1}}\n${STYLE}`);
  const body = html`<a class="skip" href="#rounds">Skip to the rounds</a>
${header(report)}
<nav aria-label="Sections"><a href="#rounds">Rounds</a><a href="#rewards">Rewards</a><a href="#chain">Chain</a><a href="#audit">Audit</a><a href="#costs">Costs</a></nav>
<main>
${timeline(report)}
${rewards(report)}
${chain(report)}
${audit(report)}
${costs(report)}
</main>
${footer(report)}
<div id="tip" role="tooltip" hidden></div>
<p id="said" class="sr" role="status"></p>`;
  return documentOf(`${report.title}, run ${report.run}`, { style, script: trusted(SCRIPT) }, body);
}
