// SPDX-License-Identifier: Apache-2.0
import { type Html, html } from "./markup.ts";

export interface ChartPoint {
  /** Column of the run's time axis, from 0. */
  readonly column: number;
  readonly value: number;
  /** Text at the marker. */
  readonly label?: string;
  /** `beside` where the line leaves upwards and would cross a label above; `minor` labels give way where columns are narrow. */
  readonly labelPlace?: "above" | "beside" | "minor";
  readonly hollow?: boolean;
}

export interface ChartSeries {
  readonly name: string;
  readonly style: "first" | "second";
  readonly points: readonly ChartPoint[];
}

export interface LineChart {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly columns: number;
  readonly height: number;
  readonly series: readonly ChartSeries[];
  /** Bounds no axis may pass, such as 0 … 1 for a share. */
  readonly limits: readonly [number, number];
  readonly formatTick: (value: number, step: number) => string;
  /** Columns drawn as void: rounds without a result. */
  readonly voidColumns: readonly number[];
}

const TOP = 18;
const BOTTOM = 10;

/**
 * A line chart whose x runs in per cent of its box, so that it stretches with the page while text, markers and strokes keep their size:
 * lines lie in a nested view that scales, everything else is placed by percentage. Columns have equal widths, as in a table below it.
 * The axis is an image of its own, for a side column that stays while the plot scrolls.
 */
export function lineChart(chart: LineChart): { readonly axis: Html; readonly plot: Html } {
  const values = chart.series.flatMap((series) => series.points.map((point) => point.value)).filter(Number.isFinite);
  const { ticks, step } = axisTicks(values, chart.limits);
  const low = ticks[0] ?? 0;
  const high = ticks.at(-1) ?? 1;
  const y = (value: number) =>
    fixed(chart.height - BOTTOM - ((value - low) / (high - low)) * (chart.height - TOP - BOTTOM));
  const x = (column: number) => `${fixed(((column + 0.5) / chart.columns) * 100)}%`;

  const axis = html`<svg class="axis" width="48" height="${chart.height}" aria-hidden="true" focusable="false">${ticks.map((tick) => html`<text class="tick" x="38" y="${y(tick) + 4}" text-anchor="end">${chart.formatTick(tick, step)}</text>`)}</svg>`;
  const plot = html`<svg class="plot" width="100%" height="${chart.height}" role="img" aria-labelledby="${chart.id}-title ${chart.id}-desc">
<title id="${chart.id}-title">${chart.title}</title><desc id="${chart.id}-desc">${chart.description}</desc>
${chart.voidColumns.map((column) => html`<rect class="void" x="${fixed((column / chart.columns) * 100)}%" y="0" width="${fixed(100 / chart.columns)}%" height="${chart.height}"/>`)}
${ticks.map((tick) => html`<line class="grid" x1="0" x2="100%" y1="${y(tick)}" y2="${y(tick)}"/>`)}
${chart.series.map((series) => {
  const points = series.points.filter((point) => Number.isFinite(point.value));
  const path = points
    .map((point, index) => `${index === 0 ? "M" : "L"}${point.column + 0.5} ${y(point.value)}`)
    .join("");
  return html`<svg width="100%" height="${chart.height}" viewBox="0 0 ${chart.columns} ${chart.height}" preserveAspectRatio="none"><path class="line ${series.style}" d="${path}"/></svg>
${points.map((point) => html`${marker(series.style, x(point.column), y(point.value), point.hollow === true)}${label(point, x(point.column), y(point.value))}`)}`;
})}
${values.length === 0 && html`<text class="tick" x="50%" y="${chart.height / 2}" text-anchor="middle">No values</text>`}
</svg>`;
  return { axis, plot };
}

function label({ label: text, labelPlace = "above" }: ChartPoint, x: string, y: number): Html {
  if (text === undefined) return html``;
  if (labelPlace === "beside") return html`<text class="value" x="${x}" dx="11" y="${y + 5}">${text}</text>`;
  return html`<text class="value${labelPlace === "minor" && " minor"}" x="${x}" y="${fixed(y - 11)}" text-anchor="middle">${text}</text>`;
}

/** Circles for the first series, diamonds for the second: the two differ without colour. */
function marker(style: ChartSeries["style"], x: string, y: number, hollow: boolean): Html {
  const name = `marker ${style}${hollow ? " hollow" : ""}`;
  if (style === "first") return html`<circle class="${name}" cx="${x}" cy="${y}" r="4"/>`;
  return html`<svg x="${x}" y="${y}" overflow="visible"><path class="${name}" d="M0-4.6 4.6 0 0 4.6-4.6 0z"/></svg>`;
}

/** Round ticks (1, 2 or 5 times a power of ten) that enclose the values, four to seven of them, inside the limits. */
export function axisTicks(
  values: readonly number[],
  limits: readonly [number, number],
): { readonly ticks: readonly number[]; readonly step: number } {
  const [floor, ceiling] = limits;
  let low = values.length === 0 ? 0 : values.reduce((a, b) => Math.min(a, b));
  let high = values.length === 0 ? 1 : values.reduce((a, b) => Math.max(a, b));
  if (high - low < 1e-9) {
    const margin = Math.max(Math.abs(high) * 0.1, 0.05);
    low -= margin;
    high += margin;
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const first = Math.floor(Math.max(low, floor) / step + 1e-9);
  const last = Math.ceil(Math.min(high, ceiling) / step - 1e-9);
  const ticks = Array.from({ length: Math.max(2, last - first + 1) }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
  return { ticks, step };
}

function fixed(value: number): number {
  return Math.round(value * 1000) / 1000;
}
