// SPDX-License-Identifier: Apache-2.0
import { percent } from "../format.ts";
import { axisTicks } from "../lineChart.ts";
import { type Html, html } from "../markup.ts";
import type { GroupReport } from "./experimentReport.ts";

/** Lines that one panel shows before the eye gives up. */
const MOST_LINES = 8;
const [WIDTH, HEIGHT] = [520, 250];
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 14, 12, 30];

/**
 * Accuracy over rounds, the seeds' range as a band. The last axis of the experiment is drawn as lines; the others make panels, so that what is to be compared
 * lies on one pair of axes. All panels have the same scale.
 */
export function curves(groups: readonly GroupReport[], axes: readonly string[]): Html {
  const { panelAxis, lineAxis } = panelsBy(groups, axes);
  const panels = new Map<string, GroupReport[]>();
  for (const group of groups) {
    const key = panelAxis.map((axis) => group.labels[axis] ?? "").join(" · ");
    panels.set(key, [...(panels.get(key) ?? []), group]);
  }
  const values = groups.flatMap(({ curve }) => curve.flatMap(({ low, high }) => [low, high]));
  const last = Math.max(1, ...groups.flatMap(({ curve }) => curve.map(({ round }) => round)));
  const { ticks } = axisTicks(values, [0, 1]);
  return html`<div class="panels">${[...panels].map(([title, lines]) => panel(title, lines, lineAxis, ticks, last))}</div>`;
}

/** The axis with most choices that one panel can still show is drawn as lines. */
function panelsBy(
  groups: readonly GroupReport[],
  axes: readonly string[],
): { panelAxis: readonly string[]; lineAxis: string | undefined } {
  const choices = (axis: string): number => new Set(groups.map(({ labels }) => labels[axis])).size;
  const fitting = axes.filter((axis) => choices(axis) <= MOST_LINES);
  const lineAxis = (fitting.length > 0 ? fitting : axes).reduce<string | undefined>(
    (best, axis) => (best === undefined || choices(axis) > choices(best) ? axis : best),
    undefined,
  );
  return { panelAxis: axes.filter((axis) => axis !== lineAxis), lineAxis };
}

function panel(
  title: string,
  lines: readonly GroupReport[],
  lineAxis: string | undefined,
  ticks: readonly number[],
  last: number,
): Html {
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (round: number): number => fixed(LEFT + (round / last) * (WIDTH - LEFT - RIGHT));
  const y = (value: number): number =>
    fixed(HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM));
  const nameOf = ({ labels }: GroupReport): string => (lineAxis === undefined ? "accuracy" : (labels[lineAxis] ?? ""));
  return html`<figure><figcaption>${title === "" ? "Accuracy by round" : title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Accuracy by round: ${lines.map(nameOf).join(", ")}">
${ticks.map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${percent(tick)}</text>`)}
<text class="tick" x="${LEFT}" y="${HEIGHT - 8}">0</text><text class="tick" x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">round ${last}</text>
${lines.map((group, i) => line(group, nameOf(group), i, x, y))}
</svg>
<ul class="legend">${lines.map((group, i) => html`<li><span class="swatch c${i % MOST_LINES}"></span>${nameOf(group)}</li>`)}</ul></figure>`;
}

function line(
  { curve }: GroupReport,
  name: string,
  i: number,
  x: (round: number) => number,
  y: (value: number) => number,
): Html {
  if (curve.length === 0) return html``;
  const points = curve.map(({ round, mean }) => `${x(round)} ${y(mean)}`);
  const band = [
    ...curve.map(({ round, high }) => `${x(round)} ${y(high)}`),
    ...curve.toReversed().map(({ round, low }) => `${x(round)} ${y(low)}`),
  ];
  const end = curve.at(-1) as GroupReport["curve"][number];
  const colour = `c${i % MOST_LINES}`;
  return html`<g><title>${name}: ${percent(end.mean)} at round ${end.round}</title><path class="band ${colour}" d="M${band.join("L")}Z"/><path class="line ${colour}" d="M${points.join("L")}"/><circle class="dot ${colour}" cx="${x(end.round)}" cy="${y(end.mean)}" r="3"/></g>`;
}

function fixed(value: number): number {
  return Math.round(value * 100) / 100;
}
