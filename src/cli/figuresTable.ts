// SPDX-License-Identifier: Apache-2.0
import { type Group, spreadOf } from "../simulation/laboratory/summary.ts";
import { formatTable } from "./print.ts";

/** Figures of an experiment, a row each, over the seeds of every combination; undefined where nothing has any. */
export function figuresTable(groups: readonly Group[]): string | undefined {
  const names = [...new Set(groups.flatMap(({ results }) => results.flatMap(({ figures }) => Object.keys(figures))))];
  if (names.length === 0) return undefined;
  const headings = groups.map(({ labels }) => Object.values(labels).join(" · ") || "all");
  return formatTable(
    ["figure", ...headings],
    names.map((name) => [
      name,
      ...groups.map(({ results }) => {
        const spread = spreadOf(results.map(({ figures }) => figures[name] ?? null));
        return spread === undefined ? "–" : `${short(spread.mean)} ± ${short(spread.std)}`;
      }),
    ]),
  );
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
