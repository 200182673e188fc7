// SPDX-License-Identifier: Apache-2.0
import { decimal, percent } from "../format.ts";
import { largestWeight, madeModel, namedMembers, type PlacedRound, placeRounds } from "../lineage.ts";
import { type ChartPoint, lineChart } from "../lineChart.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";
import { memberLegend, validatorLegend } from "./legend.ts";
import { memberRow } from "./memberRow.ts";
import { roundNumbers, updateNumbers } from "./numbers.ts";
import { roundTip } from "./tips.ts";
import { validatorRow, viewRow } from "./validatorRow.ts";

/**
 * The run on one time axis: accuracy, losses, who was included and what the validators did stand in the same columns, one per model or
 * round, so that a dip in a curve and its cause are read straight down.
 */
export function timeline(report: RunReport): Html {
  const rounds = placeRounds(report);
  return html`<section id="rounds" aria-labelledby="rounds-heading">
<h2 id="rounds-heading">Round by round</h2>
<p class="lede">One column per round. Read down: the model’s quality, whose updates made it, and which validators stood behind it. Point at a sign, or move to it with Tab and the arrow keys, for its figures.</p>
<div class="scroller" tabindex="0" role="region" aria-label="Rounds of the run, scrolls sideways">
<div class="timeline">
<div class="band" hidden></div>
${accuracyPanel(report, rounds)}
${lossPanel(rounds)}
${inclusionTable(report, rounds)}
${validatorTable(report, rounds)}
</div></div>
${roundNumbers(report, rounds)}
${updateNumbers(report)}
</section>`;
}

function accuracyPanel(report: RunReport, rounds: readonly PlacedRound[]): Html {
  const known = rounds.filter(({ report: round }) => madeModel(round) && round.accuracy !== undefined);
  const points: ChartPoint[] = [
    {
      column: 0,
      value: report.genesis.accuracy,
      hollow: true,
      label: percent(report.genesis.accuracy),
      labelPlace: "beside",
    },
  ];
  // A label is about as wide as a fourteenth of the chart.
  const every = Math.ceil((rounds.length + 1) / 14);
  for (const [index, { column, report: round }] of known.entries()) {
    const toLast = known.length - 1 - index;
    const label = { label: percent(round.accuracy), labelPlace: toLast === 0 ? "above" : "minor" } as const;
    points.push({ column, value: round.accuracy ?? Number.NaN, ...(toLast % every === 0 && label) });
  }
  const chart = lineChart({
    id: "accuracy",
    title: "Accuracy by round",
    description: `Accuracy on held-out data, from ${percent(report.genesis.accuracy)} at the genesis${known.map(({ report: round }) => `, ${percent(round.accuracy)} after round ${round.round}`).join("")}.`,
    columns: rounds.length + 1,
    height: 232,
    series: [{ name: "accuracy", style: "first", points }],
    limits: [0, 1],
    formatTick: (value, step) => `${decimal(value * 100, step < 0.0099 ? 1 : 0)}%`,
    voidColumns: voidColumns(rounds),
  });
  return panel("Accuracy", html`<p>on held-out data</p>`, chart, rounds);
}

/** L of a round speaks about the model the round received, so it is drawn over that model, where it can be compared with the held-out loss. */
function lossPanel(rounds: readonly PlacedRound[]): Html {
  const columnOf = new Map([[0, 0], ...rounds.map(({ report, column }) => [report.round, column] as const)]);
  const reported = rounds.filter(({ report }) => report.outcome === "finalised" && report.reportedLoss !== undefined);
  const heldOut = rounds.filter(({ report }) => madeModel(report) && report.heldOutLoss !== undefined);
  const chart = lineChart({
    id: "loss",
    title: "Reported loss and held-out loss",
    description: `In nats. Reported loss L${reported.map(({ report, parentRound }) => `, ${decimal(report.reportedLoss, 3)} of the model after round ${parentRound}`).join("")}. Held-out loss${heldOut.map(({ report }) => `, ${decimal(report.heldOutLoss, 3)} after round ${report.round}`).join("")}.`,
    columns: rounds.length + 1,
    height: 150,
    series: [
      {
        name: "held-out loss",
        style: "first",
        points: heldOut.map(({ report, column }) => ({ column, value: report.heldOutLoss ?? Number.NaN })),
      },
      {
        name: "reported loss L",
        style: "second",
        points: reported.map(({ report, parentRound }) => ({
          column: columnOf.get(parentRound) ?? 0,
          value: report.reportedLoss ?? Number.NaN,
        })),
      },
    ],
    limits: [0, Number.POSITIVE_INFINITY],
    formatTick: (value, step) => decimal(value, step < 0.0999 ? 2 : 1),
    voidColumns: voidColumns(rounds),
  });
  const key = html`<ul class="key"><li><svg width="22" height="10" aria-hidden="true"><path class="line first" d="M0 5h22"/><circle class="marker first" cx="11" cy="5" r="4"/></svg>held-out</li>
<li><svg width="22" height="10" aria-hidden="true"><path class="line second" d="M0 5h22"/><path class="marker second" d="M11 .4 15.6 5 11 9.6 6.4 5z"/></svg>reported L</li></ul>`;
  return panel("Loss, nats", key, chart, rounds);
}

function panel(title: string, note: Html, chart: ReturnType<typeof lineChart>, rounds: readonly PlacedRound[]): Html {
  return html`<div class="panel"><div class="side"><h3>${title}</h3>${note}</div><div class="gutter">${chart.axis}</div><div class="field">${chart.plot}<div class="hits" aria-hidden="true"><i data-column="0"></i>${rounds.map((placed) => html`<i data-column="${placed.column}" data-tip="${roundTip(placed)}"></i>`)}</div></div></div>`;
}

function inclusionTable(report: RunReport, rounds: readonly PlacedRound[]): Html {
  const largest = largestWeight(report);
  return html`<table class="matrix" id="included"><caption><div><h3>Who was included</h3>${memberLegend(report)}</div></caption>
${columnHeads(rounds)}
<tbody>${namedMembers(report).map((member) => memberRow(member, rounds, largest))}</tbody></table>`;
}

function validatorTable(report: RunReport, rounds: readonly PlacedRound[]): Html {
  return html`<table class="matrix" id="validators"><caption><div><h3>Validators</h3>${validatorLegend(report)}</div></caption>
${columnHeads(rounds)}
<tbody>${report.validators.map((validator) => validatorRow(validator, rounds))}${viewRow(rounds)}</tbody></table>`;
}

function columnHeads(rounds: readonly PlacedRound[]): Html {
  const kind = ({ report }: PlacedRound) =>
    report.outcome === "failed" ? ["failed", "fail"] : report.closing ? ["closing", "end"] : undefined;
  return html`<thead><tr><th scope="col">Round</th><th scope="col" data-column="0"><span class="round">0<small class="long">genesis</small><small class="short">gen</small></span></th>${rounds.map(
    (placed) => {
      const [long, short] = kind(placed) ?? [];
      return html`<th scope="col" data-column="${placed.column}"${placed.report.outcome === "failed" && html` class="void"`}><button type="button" class="round" data-tip="${roundTip(placed)}">${placed.report.round}${long !== undefined && html`<small class="long">${long}</small><small class="short">${short}</small>`}</button></th>`;
    },
  )}</tr></thead>`;
}

function voidColumns(rounds: readonly PlacedRound[]): readonly number[] {
  return rounds.filter(({ report }) => report.outcome === "failed").map(({ column }) => column);
}
