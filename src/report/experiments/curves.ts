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
  /** What is drawn over what. */
  readonly label: string;
  /** What is drawn inside the panel's box. */
  readonly drawing: Html;
  readonly names: readonly string[];
}

/** What is drawn: the seeds' mean and range at a round, or at a second of the virtual clock. */
interface Point {
  readonly at: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A group's line along one of the two. */
interface Line {
  readonly labels: GroupReport["labels"];
  readonly points: readonly Point[];
}

/** What lies along the horizontal axis, and how a group is drawn over it. */
const OVER = {
  round: { title: "Accuracy by round", unit: "round", points: roundsOf },
  second: { title: "Accuracy over virtual time", unit: "second", points: secondsOf },
} as const;

function roundsOf({ curve }: GroupReport): readonly Point[] {
  return curve.map(({ round, ...values }) => ({ at: round, ...values }));
}

function secondsOf({ timeCurve = [] }: GroupReport): readonly Point[] {
  return timeCurve.map(({ seconds, ...values }) => ({ at: seconds, ...values }));
}

/** Panels over rounds, then those over the virtual clock where there is one. */
export function panelsOf(groups: readonly GroupReport[], axes: readonly string[]): readonly Panel[] {
  return [...panelsOver("round", groups, axes), ...panelsOver("second", groups, axes)];
}

/**
 * Accuracy over rounds or seconds, the seeds' range as a band. The axis with most choices that still fit is drawn as lines; the others make panels, so that what is to be
 * compared lies on one pair of axes. All panels have the same scale. Empty where nothing was evaluated over rounds.
 */
function panelsOver(
  over: keyof typeof OVER,
  groups: readonly GroupReport[],
  axes: readonly string[],
): readonly Panel[] {
  const { title, unit, points } = OVER[over];
  const drawn = groups.map((group): Line => ({ labels: group.labels, points: points(group) }));
  const all = drawn.flatMap((line) => line.points);
  if (all.length === 0) return [];
  const { panelAxis, lineAxis } = panelsBy(groups, axes);
  const panels = new Map<string, Line[]>();
  for (const one of drawn) {
    const key = panelAxis.map((axis) => one.labels[axis] ?? "").join(" · ");
    panels.set(key, [...(panels.get(key) ?? []), one]);
  }
  const last = all.reduce((most, { at }) => Math.max(most, at), 1);
  const { ticks } = axisTicks(
    all.flatMap(({ low, high }) => [low, high]),
    [0, 1],
  );
  return [...panels].map(([key, lines]) => {
    const names = lines.map(({ labels }) => (lineAxis === undefined ? "accuracy" : (labels[lineAxis] ?? "")));
    const heading = key === "" ? title : over === "round" ? key : `${key}, over virtual time`;
    return { title: heading, label: title, names, drawing: draw(lines, names, ticks, { last, unit }) };
  });
}

/** The panels as figures of a page. */
export function curves(groups: readonly GroupReport[], axes: readonly string[]): Html | undefined {
  const panels = panelsOf(groups, axes);
  if (panels.length === 0) return undefined;
  return html`<div class="panels">${panels.map(
    ({ title, label, names, drawing }) => html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}: ${names.join(", ")}">${drawing}</svg>
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

function draw(
  lines: readonly Line[],
  names: readonly string[],
  ticks: readonly number[],
  { last, unit }: { readonly last: number; readonly unit: string },
): Html {
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (at: number): number => fixed(LEFT + (at / last) * (WIDTH - LEFT - RIGHT));
  const y = (value: number): number =>
    fixed(HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM));
  return html`${ticks.map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${percent(tick)}</text>`)}
<text class="tick" x="${LEFT}" y="${HEIGHT - 8}">0</text><text class="tick" x="${WIDTH - RIGHT}" y="${HEIGHT - 8}" text-anchor="end">${unit} ${fixed(last)}</text>
${lines.map(({ points }, i) => line(points, names[i] ?? "", { i, unit, x, y }))}`;
}

function line(
  points: readonly Point[],
  name: string,
  { i, unit, x, y }: { i: number; unit: string; x: (at: number) => number; y: (value: number) => number },
): Html {
  const end = points.at(-1);
  if (end === undefined) return html``;
  const middle = points.map(({ at, mean }) => `${x(at)} ${y(mean)}`);
  const band = [
    ...points.map(({ at, high }) => `${x(at)} ${y(high)}`),
    ...points.toReversed().map(({ at, low }) => `${x(at)} ${y(low)}`),
  ];
  const colour = `c${i % MOST_LINES}`;
  return html`<g><title>${name}: ${percent(end.mean)} at ${unit} ${fixed(end.at)}</title><path class="band ${colour}" d="M${band.join("L")}Z"/><path class="line ${colour}" d="M${middle.join("L")}"/><circle class="dot ${colour}" cx="${x(end.at)}" cy="${y(end.mean)}" r="3"/></g>`;
}

function fixed(value: number): number {
  return Math.round(value * 100) / 100;
}
