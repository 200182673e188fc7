// SPDX-License-Identifier: Apache-2.0
import { html } from "../markup.ts";
import { PANEL, panelsOf } from "./curves.ts";
import type { ExperimentReport } from "./experimentReport.ts";

const COLUMNS = 2;
const [TITLE, LEGEND, GAP] = [24, 40, 16];
/** Names that a line of the legend holds. */
const NAMES_PER_LINE = 4;

const STYLE = `text{font:12px system-ui,sans-serif;fill:#4a5662}.title{font-weight:600;fill:#121920}.grid{stroke:#dde3e8}.line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}.band{fill:currentColor;opacity:.12}.dot,.key{fill:currentColor}.c0{color:#0072b2}.c1{color:#d55e00}.c2{color:#009e73}.c3{color:#cc3d8f}.c4{color:#7a4fa3}.c5{color:#8a6d00}.c6{color:#2f9ac4}.c7{color:#555f69}.ground{fill:#fff}@media(prefers-color-scheme:dark){.ground{fill:#0f151b}text{fill:#b0bbc6}.title{fill:#e8edf2}.grid{stroke:#2b3742}.c0{color:#58a9e6}.c1{color:#ff9248}.c2{color:#3fd0a2}.c3{color:#f387bb}.c4{color:#bd98e6}.c5{color:#d8b944}.c6{color:#8fdcff}.c7{color:#a7b2bd}}`;

/** An experiment's accuracy curves as one SVG file, for documents; undefined where it has none. */
export function figureOf({ title, groups, axes }: ExperimentReport): string | undefined {
  const panels = panelsOf(groups, axes);
  if (panels.length === 0) return undefined;
  const columns = Math.min(COLUMNS, panels.length);
  const lines = Math.ceil(Math.max(...panels.map(({ names }) => names.length)) / NAMES_PER_LINE);
  const [width, height] = [PANEL.width, TITLE + PANEL.height + lines * 20 + (LEGEND - 20)];
  const [whole, tall] = [columns * (width + GAP) - GAP, Math.ceil(panels.length / columns) * (height + GAP) - GAP];
  const labels = [...new Set(panels.map(({ label }) => label.toLowerCase()))].join("; ");
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole} ${tall}" width="${whole}" height="${tall}" role="img">
<title>${title}: ${labels}, mean and range over seeds</title>
<style>${STYLE}</style><rect class="ground" width="100%" height="100%"/>
${panels.map(
  (panel, i) =>
    html`<svg x="${(i % columns) * (width + GAP)}" y="${Math.floor(i / columns) * (height + GAP)}" width="${width}" height="${height}"><text class="title" x="46" y="16">${panel.title}</text><svg y="${TITLE}" width="${width}" height="${PANEL.height}">${panel.drawing}</svg>
${panel.names.map((name, k) => {
  const [x, y] = [46 + (k % NAMES_PER_LINE) * 118, TITLE + PANEL.height + 14 + Math.floor(k / NAMES_PER_LINE) * 20];
  return html`<rect class="key c${k % 8}" x="${x}" y="${y - 4}" width="14" height="3"/><text x="${x + 20}" y="${y}">${name}</text>`;
})}</svg>`,
)}
</svg>
`.markup;
}
