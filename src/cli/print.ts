// SPDX-License-Identifier: Apache-2.0

/** A value for programs, as one JSON document; bigints as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? part.toString() : part), 2);
}

export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** Rows under their headings, columns as wide as they need. Numbers stand at the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => (row[i] ?? "").length)));
  const numeric = headings.map((_, i) => rows.length > 0 && rows.every((row) => /^[-+]?[0-9.]*$/.test(row[i] ?? "")));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] === true ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join("  ")
      .trimEnd();
  return [line(headings), ...rows.map(line)].join("\n");
}
