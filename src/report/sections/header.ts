// SPDX-License-Identifier: Apache-2.0
import { type SealMark, seal } from "../fingerprint.ts";
import { count, percent, plural } from "../format.ts";
import { hash, headName } from "../hash.ts";
import { currentHead, madeModel } from "../lineage.ts";
import { type Html, html } from "../markup.ts";
import type { RunReport } from "../runReport.ts";

interface Verdict {
  readonly mark: SealMark;
  readonly word: string;
  readonly sentence: string;
}

/** The top of the page: what run this is, whether its record holds, and the head to hold it against. */
export function header(report: RunReport): Html {
  const { mark, word, sentence } = verdictOf(report);
  const { round, head } = currentHead(report);
  return html`<header class="top">
<p class="kicker"><b>Foedus</b><span>Run ${report.run}</span><span>Chain ${report.chainId}</span></p>
<h1><bdi>${report.title}</bdi></h1>
<div class="verdict ${mark}">
${seal(head, mark)}
<div><p class="word">${word}</p><p class="sentence">${sentence}</p>
<p class="head">Head ${headName(round)} ${hash(head, `head of round ${round}`)}</p></div>
</div>
<dl class="facts">${facts(report).map(([name, value, note]) => html`<div><dt>${name}</dt><dd><b>${value}</b><span>${note}</span></dd></div>`)}</dl>
</header>`;
}

function verdictOf({ audit }: RunReport): Verdict {
  if (audit === undefined)
    return {
      mark: "unknown",
      word: "Not audited",
      sentence: "No audit of this run is on record. Until somebody replays it, the figures below are claims.",
    };
  const replayed = `${plural(audit.rounds, "round")} replayed from chain and store alone`;
  if (audit.ok)
    return {
      mark: "passed",
      word: "Audit passed",
      sentence: `${replayed}; all ${plural(audit.checks, "check")} hold.`,
    };
  const first = audit.failures[0];
  const where =
    first === undefined
      ? ""
      : ` The first false link is ${first.link}${first.round === null ? " (settlement)" : ` in round ${first.round}`}.`;
  return {
    mark: "failed",
    word: "Audit failed",
    sentence: `${replayed}; ${count(audit.failures.length)} of ${plural(audit.checks, "check")} failed.${where}`,
  };
}

function facts(report: RunReport): readonly (readonly [string, string, string])[] {
  const models = report.rounds.filter((round) => madeModel(round) && round.accuracy !== undefined);
  const finalised = report.rounds.filter(madeModel).length;
  const failed = report.rounds.filter((round) => round.outcome === "failed").length;
  const closing = report.rounds.some((round) => round.closing && round.outcome === "finalised");
  const updates = report.rounds.filter(madeModel).flatMap((round) => round.updates);
  const detected = report.tampering.filter((attempt) => attempt.detected).length;
  return [
    [
      "Final accuracy",
      percent(models.at(-1)?.accuracy ?? report.genesis.accuracy),
      `${percent(report.genesis.accuracy)} at genesis`,
    ],
    [
      "Rounds finalised",
      count(finalised),
      [closing ? "and the closing round" : "no closing round", ...(failed > 0 ? [`${count(failed)} failed`] : [])].join(
        ", ",
      ),
    ],
    [
      "Updates kept",
      count(updates.filter((update) => update.outcome === "kept").length),
      `of ${count(updates.length)} committed`,
    ],
    report.tampering.length === 0
      ? ["Checks", count(report.audit?.checks), report.audit === undefined ? "not audited" : "made by the audit"]
      : ["Tampering caught", count(detected), `of ${plural(report.tampering.length, "attempt")}`],
  ];
}
