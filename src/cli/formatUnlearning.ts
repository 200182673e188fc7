// SPDX-License-Identifier: Apache-2.0
import type { UnlearningReport } from "../report/unlearning/unlearningReport.ts";
import { formatTable } from "./print.ts";

/** The evidence in short, for a terminal; the page has all of it. */
export function formatUnlearning(report: UnlearningReport): string {
  const { member, firstRound, federation, before, retrained, methods, leftOut, membershipTest, deletion, group } =
    report;
  const lines = [
    firstRound === null
      ? `Member ${member}: no update of it ever entered the model.`
      : `Member ${member}: ${report.participations} of ${federation.rounds} rounds, first in round ${firstRound}.`,
  ];
  if (group !== null)
    lines.push(`It is in group ${group.index + 1} of ${group.groups}, with ${group.members.length - 1} others.`);
  lines.push(
    "",
    formatTable(
      ["", "equal to retrained", "AUROC", "test %", "others %", "distance", "client-rounds"],
      [
        ["with the member", "", ...figures(before.auroc, before.accuracy, before.othersMean, before.distance), ""],
        ...methods.map(({ method, equalsRetrained, membership, accuracy, others, distance, clientRounds }) => [
          method,
          equalsRetrained ? "yes, bit for bit" : "no",
          ...figures(membership.after, accuracy, others.mean, distance),
          short(clientRounds),
        ]),
        [
          "trained without it",
          "",
          ...figures(retrained.auroc, retrained.accuracy, retrained.othersMean, 0),
          short(retrained.clientRounds),
        ],
      ],
    ),
    "AUROC: how well losses tell its samples from unseen ones (0.5: not at all). others: mean of their own accuracies. distance: to the model trained without it.",
    "",
  );
  if (!membershipTest.memorised)
    lines.push(
      "The model had not memorised the member's samples beyond what others' tell: the AUROC shows nothing here.",
    );
  for (const { method, membership, checks } of methods)
    for (const { claim, holds } of checks)
      lines.push(
        `${holds ? "holds" : "DOES NOT HOLD"}: ${method}: ${claim}${holds && !membership.withinAsked && claim.includes("samples") ? " (not within ½ ± 0.05, but neither is the model that never saw them)" : ""}.`,
      );
  for (const { method, failed } of methods)
    if (failed.length > 0)
      lines.push(
        `${method}: without it ${failed.length} of ${federation.rounds} rounds failed, which leaves the model as it was: ${failed.map(({ round, reason }) => `${round} (${reason})`).join(", ")}.`,
      );
  for (const [because, out] of Map.groupBy(leftOut, (one) => one.because))
    lines.push(`Not possible: ${out.map(({ method }) => method).join(", ")}: ${because}.`);
  lines.push(deletion.why);
  return lines.join("\n");
}

function figures(auroc: number, accuracy: number, others: number, distance: number): string[] {
  return [auroc.toFixed(3), (100 * accuracy).toFixed(1), (100 * others).toFixed(1), distance.toFixed(4)];
}

function short(value: number): string {
  return String(Number(value.toFixed(1)));
}
