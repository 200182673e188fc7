// SPDX-License-Identifier: Apache-2.0
import type { AuditFailure, AuditReport } from "../audit/auditRun.ts";
import { LINKS } from "../audit/links.ts";
import { formatTable } from "./print.ts";
import type { AuditedRound, AuditOutcome, HeadSource } from "./runAudit.ts";

/** An audit for people: what was replayed, what is false, and how far the verdict goes. */
export function formatAudit({ report, chainId, rounds, headSource }: AuditOutcome): string {
  const parts = [`Audit of run ${report.run} on chain ${chainId}`, "", roundsTable(report, rounds)];
  for (const { round, failure } of report.failedRounds)
    parts.push(`Round ${round} failed (${failure}) and changed nothing.`);
  if (report.scoring === "attested") {
    parts.push(
      "",
      "Scores are attested, not recomputed: what each validator revealed opens what it sealed, and the lower medians were booked. The data they scored on is theirs.",
    );
  }
  parts.push("", ...report.failures.flatMap(failureLines), ...verdictLines(report, headSource));
  return parts.join("\n");
}

function roundsTable(report: AuditReport, rounds: readonly AuditedRound[]): string {
  const rows = rounds.map((audited) => {
    const failures = report.failures.filter(({ round }) => round === audited.round);
    const falseLinks = [...new Set(failures.map(({ link }) => link))];
    return [
      String(audited.round),
      !audited.replayed ? "incomplete" : audited.closing ? "closing" : "replayed",
      falseLinks.length === 0 ? "all hold" : `FALSE: ${falseLinks.join(", ")}`,
      audited.replayed ? String(audited.accepted) : "",
      !audited.replayed ? "" : audited.lossesOpened ? "opened" : "not opened: quorum and proof stand for them",
    ];
  });
  return rows.length === 0 ? "No round was replayed." : formatTable(["round", "", "links", "accepted", "losses"], rows);
}

function failureLines({ round, link, detail }: AuditFailure): string[] {
  return [`✗ ${round === null ? "run" : `round ${round}`}, link "${link}": ${detail}`, `  claimed: ${LINKS[link]}`, ""];
}

function verdictLines(report: AuditReport, headSource: HeadSource): string[] {
  const replayed = `${report.rounds} round${report.rounds === 1 ? "" : "s"}${report.closingRound ? " and the closing round" : ""}`;
  const settlement = report.settled ? ", and the settlement" : "";
  const [first] = report.failures;
  const verdict =
    first === undefined
      ? `Verdict: every link holds in ${replayed}${settlement} (${report.checks} checks).`
      : `Verdict: FALSE. ${report.failures.length} link${report.failures.length === 1 ? " does" : "s do"} not hold; the first is "${first.link}" ${first.round === null ? "of the run" : `of round ${first.round}`}.`;
  const headHolds = !report.failures.some(({ link }) => link === "head");
  const head = {
    given: headHolds ? "It is the head that you gave." : "It is NOT the head that you gave.",
    "second endpoint": headHolds ? "The endpoints agree on it." : "It is NOT the head that the endpoints name.",
    none: "No independent head was given: an endpoint that invented the whole history would pass. Compare this head with one from another source, or give --head or a second --rpc.",
  }[headSource];
  const models =
    report.linear === false
      ? [
          "Models: not linear. The rule or a server optimiser rounds, so no model is a weighted sum of the updates before it.",
        ]
      : [];
  return [verdict, ...models, `Head: ${report.head}`, `      ${head}`];
}
