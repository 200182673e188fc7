// SPDX-License-Identifier: Apache-2.0
import type { ExperimentReport } from "./experimentReport.ts";

/** All combinations of all experiments as RFC 4180 lines: one row per experiment, combination and measure. */
export function experimentsCsv(reports: readonly ExperimentReport[]): string {
  const lines = [["experiment", "combination", "measure", "mean", "std", "n"]];
  for (const { name, axes, groups } of reports) {
    for (const group of groups) {
      const combination = axes.map((axis) => `${axis}=${group.labels[axis] ?? ""}`).join(";");
      const n = String(group.accuracies.length);
      for (const [measure, spread] of Object.entries(group.measures)) {
        if (spread !== undefined)
          lines.push([name, combination, measure, String(spread.mean), String(spread.std), String(spread.n)]);
      }
      lines.push([name, combination, "uplinkBytes", String(group.uplinkBytes), "", n]);
      lines.push([name, combination, "downlinkBytes", String(group.downlinkBytes), "", n]);
      lines.push([name, combination, "failedRounds", String(group.failedRounds), "", n]);
    }
  }
  return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

/** Quoted where needed; what a spreadsheet would take for a formula gets an apostrophe before it. */
function quoted(cell: string): string {
  const safe = /^[=+@\t\r]|^-(?![0-9.])/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
