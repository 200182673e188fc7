// SPDX-License-Identifier: Apache-2.0
import { count, duration, words } from "../format.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";

/** What the run cost: gas of each call and seconds of each stage, in the order of the report, which is that of the work. */
export function costs(report: RunReport): Html {
  return html`<section id="costs" aria-labelledby="costs-heading">
<h2 id="costs-heading">What it cost</h2>
<div class="pair">
${barTable("Gas of each call, median", ["Call", "Gas"], report.gas, count)}
${barTable("Seconds by stage", ["Stage", "Time"], report.seconds, duration)}
</div></section>`;
}

function barTable(
  caption: string,
  columns: readonly [string, string],
  values: Readonly<Record<string, number>>,
  format: (value: number) => string,
): Html {
  const entries = Object.entries(values);
  if (entries.length === 0) return html`<p class="quiet">${caption}: nothing on record.</p>`;
  // A total would dwarf its parts, so it has no bar and does not set the scale.
  const largest =
    entries.filter(([name]) => name !== "total").reduce((most, [, value]) => Math.max(most, value), 0) || 1;
  return html`<table class="bars"><caption>${caption}</caption><thead class="sr"><tr><th scope="col">${columns[0]}</th><th scope="col">${columns[1]}</th></tr></thead>
<tbody>${entries.map(([name, value]) => {
    const width = Math.round((Math.max(0, value) / largest) * 10000) / 100;
    return html`<tr${name === "total" && html` class="total"`}><th scope="row">${words(name)}</th><td>${name !== "total" && html`<svg class="bar" width="100%" height="8" aria-hidden="true"><rect class="fill" width="${width}%" height="8" rx="2"/></svg>`}<span>${format(value)}</span></td></tr>`;
  })}</tbody></table>`;
}
