// SPDX-License-Identifier: Apache-2.0
import { fingerprint } from "../fingerprint.ts";
import { count, decimal, duration, norm, percent, UNKNOWN } from "../format.ts";
import { hash, headName } from "../hash.ts";
import { type PlacedRound, placeRounds } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";

/** The chain of h^t, genesis first: each head with its parent, the model it names and the figures it binds. */
export function chain(report: RunReport): Html {
  return html`<section id="chain" aria-labelledby="chain-heading">
<h2 id="chain-heading">The chain of <span class="h">h<sup>t</sup></span></h2>
<p class="lede">Every finalised round hashes its parent, its participants and their weights, its model and its scores into one head. The bars beside a hash are drawn from its first digits: a parent looks like the head above it.</p>
<ol class="chain">
${genesisBlock(report)}
${placeRounds(report).map((placed) => (placed.report.outcome === "failed" ? failedBlock(placed) : roundBlock(placed)))}
</ol></section>`;
}

function genesisBlock({ genesis }: RunReport): Html {
  return html`<li class="genesis"><div class="name"><b>Genesis</b><small>round 0</small></div><div class="block">
${links([
  ["Head", head(0, genesis.head)],
  ["Checkpoint", hash(genesis.checkpointCid, "CID of the initial checkpoint")],
  ["Model root", hash(genesis.modelRoot, "initial model root")],
])}${figures([["Accuracy", percent(genesis.accuracy)]])}</div></li>`;
}

function roundBlock({ report: round, parentRound, parentHead }: PlacedRound): Html {
  const { head: own, checkpointCid, modelRoot } = round;
  return html`<li class="${round.closing ? "closing" : "finalised"}"><div class="name"><b>Round ${round.round}</b>${round.closing && html`<small>closing: proves L of the last model and leaves it as it is</small>`}</div><div class="block">
${links([
  ["Head", own === undefined ? UNKNOWN : head(round.round, own)],
  ["Parent", head(parentRound, parentHead)],
  [
    "Checkpoint",
    checkpointCid === undefined ? UNKNOWN : hash(checkpointCid, `CID of the checkpoint of round ${round.round}`),
  ],
  ["Model root", modelRoot === undefined ? UNKNOWN : hash(modelRoot, `model root of round ${round.round}`)],
])}
${figures([
  ["Accuracy", percent(round.accuracy)],
  ["Reported loss L", decimal(round.reportedLoss, 4)],
  ["Update norm", norm(round.updateNorm)],
  [
    "Proposer",
    round.proposer === undefined
      ? UNKNOWN
      : `V${round.proposerId ?? round.proposer}${(round.view ?? 0) > 0 ? `, view ${round.view}` : ""}`,
  ],
  ["Gas", count(round.gas)],
  ["Time", duration(round.seconds)],
])}</div></li>`;
}

function failedBlock({ report: round, parentRound }: PlacedRound): Html {
  return html`<li class="failed"><div class="name"><b>Round ${round.round}</b><small>failed${round.closing && ", closing"}</small></div><div class="block"><p><strong>${round.failure ?? "No reason on record"}.</strong> No head was made; the next round builds on ${headName(parentRound)} again.</p>
${figures([
  ["Gas", count(round.gas)],
  ["Time", duration(round.seconds)],
])}</div></li>`;
}

function head(round: number, value: string): Html {
  return html`${headName(round)}${fingerprint(value)}${hash(value, `head of round ${round}`)}`;
}

function links(entries: readonly (readonly [string, Html | string])[]): Html {
  return html`<dl class="links">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function figures(entries: readonly (readonly [string, string])[]): Html {
  return html`<dl class="figures">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
