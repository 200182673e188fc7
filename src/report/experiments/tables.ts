// SPDX-License-Identifier: Apache-2.0
import { bytes, decimal, percent, UNKNOWN } from "../format.ts";
import { type Html, html } from "../markup.ts";
import type { ExperimentReport, GroupReport, Spread } from "./experimentReport.ts";

/** Measures in the order of the columns, and how each is written. */
const MEASURES: readonly { readonly key: string; readonly heading: string; readonly unit: "share" | "number" }[] = [
  { key: "accuracy", heading: "Accuracy", unit: "share" },
  { key: "loss", heading: "Loss (nats)", unit: "number" },
  { key: "clientMean", heading: "Members’ mean", unit: "share" },
  { key: "clientStd", heading: "Their std", unit: "share" },
  { key: "clientWorst", heading: "Worst member", unit: "share" },
  { key: "jain", heading: "Jain index", unit: "number" },
  { key: "detectionRecall", heading: "Attackers caught", unit: "share" },
  { key: "detectionFalsePositives", heading: "Honest accused", unit: "share" },
  { key: "jacobian", heading: "‖J‖²", unit: "number" },
  { key: "marginDistance", heading: "Margin", unit: "number" },
  { key: "epsilon", heading: "ε", unit: "number" },
];

/** Every combination with all that was measured: mean ± sample standard deviation over the seeds. */
export function resultsTable({ groups, axes, seeds }: ExperimentReport): Html {
  const shown = MEASURES.filter(({ key }) => groups.some(({ measures }) => measures[key] !== undefined));
  return html`<div class="wide"><table><caption>Mean ± standard deviation over ${seeds.length} seed${seeds.length === 1 ? "" : "s"} (${seeds.join(", ")})</caption>
<thead><tr>${axes.map((axis) => html`<th scope="col">${axis}</th>`)}${shown.map(({ heading }) => html`<th scope="col" class="n">${heading}</th>`)}<th scope="col" class="n">Uplink</th><th scope="col" class="n">of dense</th><th scope="col" class="n">Failed rounds</th></tr></thead>
<tbody>${groups.map((group) => html`<tr>${axes.map((axis) => html`<th scope="row">${group.labels[axis] ?? ""}</th>`)}${shown.map(({ key, unit }) => html`<td class="n">${spread(group.measures[key], unit)}</td>`)}<td class="n">${bytes(group.uplinkBytes)}</td><td class="n">${percent(group.uplinkShare)}</td><td class="n">${decimal(group.failedRounds, 0)}</td></tr>`)}</tbody></table></div>`;
}

/** What a study measured, or a federation beside the columns above: a row each. */
export function figuresTable({ groups, axes }: ExperimentReport): Html | undefined {
  const known = new Set(MEASURES.map(({ key }) => key));
  const names = [...new Set(groups.flatMap(({ measures }) => Object.keys(measures)))].filter(
    (name) => !known.has(name),
  );
  if (names.length === 0) return undefined;
  return html`<div class="wide"><table><caption>Figures</caption>
<thead><tr><th scope="col">figure</th>${groups.map(({ labels }) => html`<th scope="col" class="n">${axes.map((axis) => labels[axis] ?? "").join(" · ")}</th>`)}</tr></thead>
<tbody>${names.map((name) => html`<tr><th scope="row">${name}</th>${groups.map(({ measures }) => html`<td class="n">${spread(measures[name], "number")}</td>`)}</tr>`)}</tbody></table></div>`;
}

function spread(value: Spread | undefined, unit: "share" | "number"): string {
  if (value === undefined) return UNKNOWN;
  const scale = unit === "share" ? 100 : 1;
  const digits = unit === "share" ? 1 : Math.abs(value.mean) < 10 ? 3 : 0;
  return `${decimal(value.mean * scale, digits)} ± ${decimal(value.std * scale, digits)}`;
}

/**
 * Accuracy where two axes meet, shaded by how far it is below the best of all: how robust each choice is. Of three axes or more, the two with most
 * choices meet (of equals, the earlier), once for every combination of the others; all tables have the same shades.
 */
export function robustnessTable({ groups, axes }: ExperimentReport): Html | undefined {
  const choices = (axis: string): string[] => [...new Set(groups.map(({ labels }) => labels[axis] ?? ""))];
  const meeting = [...axes].sort((a, b) => choices(b).length - choices(a).length).slice(0, 2);
  const [rowAxis, columnAxis] = axes.filter((axis) => meeting.includes(axis));
  if (rowAxis === undefined || columnAxis === undefined) return undefined;
  const others = axes.filter((axis) => !meeting.includes(axis));
  const best = Math.max(...groups.map((group) => group.measures.accuracy?.mean ?? 0));
  const tables = new Map<string, GroupReport[]>();
  for (const group of groups) {
    const title = others.map((axis) => `, ${axis} ${group.labels[axis] ?? ""}`).join("");
    tables.set(title, [...(tables.get(title) ?? []), group]);
  }
  const table = ([title, shown]: readonly [string, readonly GroupReport[]]): Html => {
    const [rows, columns] = [rowAxis, columnAxis].map((axis) => [
      ...new Set(shown.map(({ labels }) => labels[axis] ?? "")),
    ]) as [string[], string[]];
    const cell = (row: string, column: string): GroupReport | undefined =>
      shown.find(({ labels }) => labels[rowAxis] === row && labels[columnAxis] === column);
    return html`<div class="wide"><table class="heat"><caption>Accuracy by ${rowAxis} and ${columnAxis}${title}; darker is farther below the best</caption>
<thead><tr><th scope="col">${rowAxis}</th>${columns.map((column) => html`<th scope="col" class="n">${column}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr><th scope="row">${row}</th>${columns.map((column) => heat(cell(row, column), best))}</tr>`)}</tbody></table></div>`;
  };
  return html`${[...tables].map(table)}`;
}

function heat(group: GroupReport | undefined, best: number): Html {
  const accuracy = group?.measures.accuracy;
  if (accuracy === undefined) return html`<td class="n">${UNKNOWN}</td>`;
  const level = Math.max(0, Math.min(5, Math.round(((best - accuracy.mean) / 0.5) * 5)));
  return html`<td class="n h${level}">${percent(accuracy.mean)} <small>± ${decimal(accuracy.std * 100, 1)}</small></td>`;
}

/** Members' accuracies: mean, spread and range of each combination on one scale. */
export function fairnessBars({ groups, axes }: ExperimentReport): Html | undefined {
  const measured = groups.filter(({ members }) => members.length > 0);
  if (measured.length === 0) return undefined;
  const x = (share: number): string => `${Math.round(share * 10_000) / 100}%`;
  return html`<div class="bars" role="img" aria-label="Members’ accuracies">${measured.map((group) => {
    const { clientMean, clientStd } = group.measures;
    const [least, most] = [group.members[0] as number, group.members.at(-1) as number];
    const [mean, std] = [clientMean?.mean ?? 0, clientStd?.mean ?? 0];
    const left = Math.max(0, mean - std);
    return html`<div class="bar"><span class="name">${axes.map((axis) => group.labels[axis] ?? "").join(" · ")}</span><svg width="100%" height="20"><title>mean ${percent(mean)}, std ${percent(std)}, worst ${percent(least)}, best ${percent(most)}</title><line class="range" x1="${x(least)}" x2="${x(most)}" y1="10" y2="10"/><rect class="std" x="${x(left)}" width="${x(Math.min(1, mean + std) - left)}" y="4" height="12"/><line class="mean" x1="${x(mean)}" x2="${x(mean)}" y1="1" y2="19"/></svg><span class="value">${percent(mean)} ± ${decimal(std * 100, 1)}</span></div>`;
  })}<p class="note">Line: worst to best member; box: one standard deviation; bar: mean.</p></div>`;
}
