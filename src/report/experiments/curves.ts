// SPDX-License-Identifier: Apache-2.0
import { percent } from "../format.ts";
import { axisTicks } from "../lineChart.ts";
import { type Html, html } from "../markup.ts";
import type { GroupReport } from "./experimentReport.ts";

/** Lines that one panel shows before the eye gives up. */
const MOST_LINES = 8;
const [WIDTH, HEIGHT] = [520, 250];
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 14, 12, 30];

/** Size of one panel's drawing. */
export const PANEL = { width: WIDTH, height: HEIGHT };

/** Lines on one pair of axes. */
export interface Panel {
  readonly title: string;
  /** What is drawn inside the panel's box. */
  readonly drawing: Html;
  readonly names: readonly string[];
}

/**
 * Accuracy over rounds, the seeds' range as a band. The axis with most choices that still fit is drawn as lines; the others make panels, so that what is to be
 * compared lies on one pair of axes. All panels have the same scale. Empty where nothing was evaluated over rounds.
 */
export function panelsOf(groups: readonly GroupReport[], axes: readonly string[]): readonly Panel[] {
  if (groups.every(({ curve }) => curve.length === 0)) return [];
  const { panelAxis, lineAxis } = panelsBy(groups, axes);
  const panels = new Map<string, GroupReport[]>();
  for (const group of groups) {
    const key = panelAxis.map((axis) => group.labels[axis] ?? "").join(" · ");
    panels.set(key, [...(panels.get(key) ?? []), group]);
  }
  const values = groups.flatMap(({ curve }) => curve.flatMap(({ low, high }) => [low, high]));
  const last = Math.max(1, ...groups.flatMap(({ curve }) => curve.map(({ round }) => round)));
  const { ticks } = axisTicks(values, [0, 1]);
  return [...panels].map(([title, lines]) => {
    const names = lines.map(({ labels }) => (lineAxis === undefined ? "accuracy" : (labels[lineAxis] ?? "")));
    return { title: title === "" ? "Accuracy by round" : title, names, drawing: draw(lines, names, ticks, last) };
  });
}

/** The panels as figures of a page. */
export function curves(groups: readonly GroupReport[], axes: readonly string[]): Html | undefined {
  const panels = panelsOf(groups, axes);
  if (panels.length === 0) return undefined;
  return html`<div class="panels">${panels.map(
    ({ title, names, drawing }) => html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Accuracy by round: ${names.join(", ")}">${drawing}</svg>
<ul class="legend">${names.map((name, i) => html`<li><span class="swatch c${i % MOST_LINES}"></span>${name}</li>`)}</ul></figure>`,
  )}</div>`;
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

function draw(lines: readonly GroupReport[], names: readonly string[], ticks: readonly number[], last: number): Html {
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (round: number): number => fixed(LEFT + (round / last) * (WIDTH - LEFT - RIGHT));
  const y = (value: number): number =>
    fixed(HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM));
  return html`${ticks.map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${percent(tick)}</text>`)}
<text class="tick" x="${LEFT}" y="${HEIGHT - 8}">0</text><text class="tick" x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">round ${last}</text>
${lines.map((group, i) => line(group, names[i] ?? "", i, x, y))}`;
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
