// SPDX-License-Identifier: Apache-2.0
import { count, decimal, percent, shareOf, tokens } from "../format.ts";
import { hash } from "../hash.ts";
import { type Html, html } from "../markup.ts";
import type { MemberReport, RunReport } from "../runReport.ts";

/** What each member contributed and was paid, with the data it trained on. */
export function rewards(report: RunReport): Html {
  const { settlement, members } = report;
  const whole =
    settlement?.pool ??
    members.reduce((sum, { reward }) => sum + (/^\d+$/.test(reward) ? BigInt(reward) : 0n), 0n).toString();
  const largestShare = members.reduce((largest, member) => Math.max(largest, shareOf(member.reward, whole)), 0) || 1;
  const largestClass =
    members.flatMap((member) => member.classes ?? []).reduce((largest, samples) => Math.max(largest, samples), 0) || 1;
  return html`<section id="rewards" aria-labelledby="rewards-heading">
<h2 id="rewards-heading">Rewards</h2>
<p class="lede">${settled(report)} Scores are Shapley values on the run’s held-out data, in nats of loss, summed over the rounds.</p>
<table class="rewards" role="table"><caption class="sr">Rewards of the members</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Member</th><th scope="col" role="columnheader">Data by class</th><th scope="col" role="columnheader">Score</th><th scope="col" role="columnheader">Rounds paid</th><th scope="col" role="columnheader">Reputation</th><th scope="col" role="columnheader">Reward</th></tr></thead>
<tbody role="rowgroup">${members.map((member, index) => memberRow(member, index, shareOf(member.reward, whole), largestShare, largestClass))}</tbody></table>
</section>`;
}

function settled({ settlement }: RunReport): Html {
  if (settlement === undefined) return html`The run has not been settled; no reward is final.`;
  const unit = /^0x[0-9a-f]{40}$/i.test(settlement.token)
    ? html`tokens (${hash(settlement.token, "address of the token")})`
    : html`<bdi>${settlement.token}</bdi>`;
  const refund = /^0*$/.test(settlement.refund) ? "" : html` ${tokens(settlement.refund)} went back to the sponsor.`;
  return html`A pool of ${tokens(settlement.pool)} ${unit} was settled in block ${count(settlement.block)}.${refund}`;
}

function memberRow(
  member: MemberReport,
  index: number,
  share: number,
  largestShare: number,
  largestClass: number,
): Html {
  const width = Math.round((share / largestShare) * 10000) / 100;
  return html`<tr role="row"><th scope="row" role="rowheader"><bdi>${member.name}</bdi>${hash(member.signer, "signer")}</th>
<td role="cell" data-label="Data by class" class="data">${histogram(member, index, largestClass)}<small>${count(member.samples)} samples</small></td>
<td role="cell" data-label="Score">${decimal(member.score, 4)}</td><td role="cell" data-label="Rounds paid">${count(member.participation)}</td><td role="cell" data-label="Reputation">${decimal(member.reputation, 3)}</td>
<td role="cell" data-label="Reward" class="reward"><svg class="bar" width="100%" height="8" aria-hidden="true"><rect class="track" width="100%" height="8" rx="2"/><rect class="fill" width="${width}%" height="8" rx="2"/></svg><span><b>${tokens(member.reward, "aligned")}</b><small>${percent(share)}</small></span></td></tr>`;
}

/** Samples per class on one scale for all members, so that skew and size both show. */
function histogram({ classes, name }: MemberReport, index: number, largest: number): Html {
  if (classes === undefined || classes.length === 0) return html`<small>classes not known</small>`;
  const width = 9;
  const title = classes.map((samples, label) => `${label}: ${count(samples)}`).join(", ");
  return html`<svg class="histogram" width="${classes.length * width}" height="34" viewBox="0 0 ${classes.length * width} 34" role="img" aria-labelledby="classes-${index}"><title id="classes-${index}">Samples of ${name} by class. ${title}</title>
<path class="base" d="M0 33.5h${classes.length * width}"/>${classes.map((samples, label) => {
    const height = samples === 0 ? 0 : Math.max(1, Math.round((samples / largest) * 320) / 10);
    return html`<rect x="${label * width + 1}" y="${Math.round((33 - height) * 10) / 10}" width="${width - 2}" height="${height}"/>`;
  })}</svg>`;
}
