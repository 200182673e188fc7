// SPDX-License-Identifier: Apache-2.0
import { count, plural, words } from "../format.ts";
import { hash } from "../hash.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";

/** What the record does not show, and the addresses needed to check what it does. */
export function footer(report: RunReport): Html {
  const { recipe } = report;
  return html`<footer aria-labelledby="limits-heading">
<h2 id="limits-heading">What this record does not prove</h2>
<p class="limits">It proves nothing about how a member trained, or that its data are good. The chain of heads stands for <i>exact aggregation</i>: each model is, to the last bit, what the run’s rule makes of the accepted updates. On chain that rests on a quorum of ${plural(report.validators.length, "validator")}, and a quorum that colludes can attest to anything; only a replay would notice. The zero-knowledge proof of the <i>reported loss</i> says that the losses behind L open the commitments of the accepted members and that L is their mean by samples; it does not say that any of those losses is true, and one false loss can move L. Accuracy and scores hold for this held-out data and no other. And an audit is worth as much as the head it starts from: compare the head above with one from another source, since a single endpoint can invent a history.</p>
<dl class="sources">
<div><dt>Recipe</dt><dd><bdi>${recipe.name}</bdi>, rule <bdi>${recipe.rule}</bdi>, ${count(recipe.parameters)} parameters</dd></div>
<div><dt>Recipe digest</dt><dd>${hash(recipe.digest, "recipe digest")}</dd></div>
${Object.entries(report.contracts).map(([name, address]) => html`<div><dt>${words(name)}</dt><dd>${hash(address, `address of ${name}`)}</dd></div>`)}
</dl>
<p class="attribution">${report.attribution}</p>
</footer>`;
}
