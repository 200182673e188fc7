// SPDX-License-Identifier: Apache-2.0
import { DataError } from "../errors.ts";

/**
 * Rows of comma-separated text fields (RFC 4180): a field may be quoted, and then hold commas, line ends and doubled quotes.
 * A line end at the end of the text closes the last row.
 *
 * @param columns fields of every row.
 * @throws DataError BAD_ROW with the row's number, from 1.
 */
export function csvRows(text: string, columns: number, source: string): string[][] {
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const row: string[] = [];
    for (;;) {
      const field = readField(text, at, source, rows.length + 1);
      row.push(field.value);
      at = field.end;
      if (text[at] !== ",") break;
      at += 1;
    }
    if (text[at] === "\r") at += 1;
    if (at < text.length && text[at] !== "\n")
      throw new DataError("BAD_ROW", `${source}, row ${rows.length + 1}: a carriage return without a line feed.`, {
        source,
      });
    at += 1;
    if (row.length !== columns)
      throw new DataError(
        "BAD_ROW",
        `${source}, row ${rows.length + 1}: ${row.length} columns instead of ${columns}.`,
        {
          source,
          row: rows.length + 1,
        },
      );
    rows.push(row);
  }
  if (rows.length === 0) throw new DataError("BAD_ROW", `${source} has no rows.`, { source });
  return rows;
}

/** One field from `start`; `end` is where its comma, line end or the end of the text stands. */
function readField(
  text: string,
  start: number,
  source: string,
  row: number,
): { readonly value: string; readonly end: number } {
  if (text[start] !== '"') {
    let end = start;
    while (end < text.length && text[end] !== "," && text[end] !== "\n" && text[end] !== "\r") end += 1;
    return { value: text.slice(start, end), end };
  }
  let value = "";
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new DataError("BAD_ROW", `${source}, row ${row}: a quote is not closed.`, { source, row });
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    value += '"';
    at += 1;
  }
  if (at < text.length && !",\r\n".includes(text[at] as string))
    throw new DataError("BAD_ROW", `${source}, row ${row}: text follows a closing quote.`, { source, row });
  return { value, end: at };
}
