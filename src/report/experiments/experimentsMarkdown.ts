// SPDX-License-Identifier: Apache-2.0
import { bytes, decimal, percent, UNKNOWN } from "../format.ts";
import type { ExperimentReport, GroupReport } from "./experimentReport.ts";

/** Measures that a table shows where there are any: key, heading, whether a share. */
const MEASURES: readonly (readonly [string, string, boolean])[] = [
  ["accuracy", "accuracy %", true],
  ["clientMean", "members %", true],
  ["clientStd", "spread", true],
  ["clientWorst", "worst %", true],
  ["detectionRecall", "caught %", true],
  ["detectionFalsePositives", "accused %", true],
  ["jacobian", "‖J‖²", false],
  ["marginDistance", "margin", false],
  ["epsilon", "ε", false],
  ["scoreEvaluations", "models a round", false],
  ["scoreError", "score error", false],
  ["scoreRank", "score rank", false],
  ["detectionAtFpr5Before", "found % before", true],
  ["detectionAtFpr5Shifted", "at the shift", true],
  ["detectionAtFpr5", "found %", true],
  ["virtualTime", "virtual s", false],
];

/**
 * Experiments as a chapter of a document: question, claims, results, reading.
 *
 * @param figure of an experiment, as the document names it; undefined where there is none.
 */
export function experimentsMarkdown(
  reports: readonly ExperimentReport[],
  figure: (report: ExperimentReport) => string | undefined,
): string {
  return reports.map((report) => chapter(report, figure(report))).join("\n");
}

function chapter(report: ExperimentReport, figure: string | undefined): string {
  const { name, title, question, reading, claims, groups, axes, seeds } = report;
  const shown = MEASURES.filter(([key]) => groups.some(({ measures }) => measures[key] !== undefined));
  const held = claims.filter(({ holds }) => holds).length;
  const verdict =
    claims.length === 0
      ? ""
      : held === claims.length
        ? "**Reproduced.** "
        : `**${held} of ${claims.length} claims reproduced.** `;
  const lines = [`## ${title}`, "", `\`${name}\`, ${seeds.length} seeds. ${text(question)}`, ""];
  if (verdict !== "" || reading !== "") lines.push(`${verdict}${text(reading)}`.trim(), "");
  if (claims.length > 0) {
    lines.push("| claim | found | asked | |", "|---|---|---|---|");
    for (const { claim, value, min, max, holds } of claims) {
      const asked = [min === undefined ? [] : [`≥ ${min}`], max === undefined ? [] : [`≤ ${max}`]].flat().join(", ");
      lines.push(
        `| ${text(claim)} | ${value === null ? UNKNOWN : figureText(value)} | ${asked} | ${holds ? "✔" : "✘"} |`,
      );
    }
    lines.push("");
  }
  if (shown.length > 0) {
    const headings = [...axes, ...shown.map(([, heading]) => heading), "uplink", "of dense"];
    lines.push(`| ${headings.join(" | ")} |`, `|${headings.map(() => "---|").join("")}`);
    for (const group of groups) lines.push(`| ${cells(group, axes, shown).join(" | ")} |`);
    lines.push("");
  }
  if (figure !== undefined) lines.push(`![Accuracy by round](${figure})`, "");
  return lines.join("\n");
}

function cells(group: GroupReport, axes: readonly string[], shown: typeof MEASURES): string[] {
  return [
    ...axes.map((axis) => text(group.labels[axis] ?? "")),
    ...shown.map(([key, , share]) => {
      const spread = group.measures[key];
      if (spread === undefined) return UNKNOWN;
      const scale = share ? 100 : 1;
      const digits = share ? 1 : Math.abs(spread.mean) < 100 ? 2 : 0;
      return `${decimal(spread.mean * scale, digits)} ± ${decimal(spread.std * scale, digits)}`;
    }),
    bytes(group.uplinkBytes),
    percent(group.uplinkShare),
  ];
}

function figureText(value: number): string {
  return decimal(value, Math.abs(value) < 10 ? 4 : 1);
}

/** One line, and no table of its own. */
function text(value: string): string {
  return value.replaceAll(/\s+/g, " ").replaceAll("|", "\\|").trim();
}
