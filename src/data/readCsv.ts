// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { DataError } from "./errors.ts";
import { readInflated } from "./readInflated.ts";

export interface CsvOptions {
  /** Features per row. The label is one more column, the last. */
  readonly inputs: number;
  /** Labels are the integers 0 … classes−1. */
  readonly classes: number;
  /** Every feature is multiplied by this; a power of two keeps integers exact. Default 1. */
  readonly scale?: number;
  /** The first row names the columns and is skipped. Default false. */
  readonly header?: boolean;
  /** Most bytes of text, after decompression. Default 1 GiB. */
  readonly maxBytes?: number;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Reads a labelled dataset from comma-separated numbers, gzipped or not: one sample per row, features, then the label.
 *
 * @throws DataError UNREADABLE, TOO_LARGE (before more than `maxBytes` are held), BAD_ROW with the line number.
 */
export async function readCsv(path: string, options: CsvOptions): Promise<Dataset> {
  const text = await readInflated(path, options.maxBytes ?? 2 ** 30);
  return parseCsv(text.toString("utf8"), options, path);
}

/** The dataset in CSV text; `source` names it in errors. */
export function parseCsv(
  text: string,
  { inputs, classes, scale = 1, header = false }: CsvOptions,
  source: string,
): Dataset {
  if (!Number.isFinite(scale) || scale === 0)
    throw new DataError("BAD_ROW", `A scale is finite and not zero; got ${scale}.`, { scale });
  const lines = text.split("\n");
  // One newline at the end closes the last row; it does not open another.
  if (lines.at(-1) === "") lines.pop();
  const first = header ? 1 : 0;
  const size = lines.length - first;
  if (size < 1) throw new DataError("BAD_ROW", `${source} has no rows; a dataset has at least one sample.`, { source });

  const features = new Float32Array(size * inputs);
  const labels = new Int32Array(size);
  for (let row = 0; row < size; row++) {
    const line = row + first + 1;
    const fields = (lines[row + first] as string).replace(/\r$/, "").split(",");
    if (fields.length !== inputs + 1) {
      throw new DataError(
        "BAD_ROW",
        `${source}, line ${line}: ${fields.length} columns instead of ${inputs} features and a label.`,
        { source, line, columns: fields.length },
      );
    }
    for (let i = 0; i < inputs; i++) {
      const value = Math.fround(parseNumber(fields[i] as string, source, line, i + 1) * scale);
      if (!Number.isFinite(value))
        throw new DataError("BAD_ROW", `${source}, line ${line}, column ${i + 1}: ${fields[i]} is beyond float32.`, {
          source,
          line,
        });
      // −0 has no canonical encoding.
      features[row * inputs + i] = value + 0;
    }
    const label = parseNumber(fields[inputs] as string, source, line, inputs + 1);
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new DataError(
        "BAD_ROW",
        `${source}, line ${line}: label ${fields[inputs]} is not one of 0 to ${classes - 1}.`,
        { source, line, label },
      );
    }
    labels[row] = label;
  }
  return { features, labels, inputs, classes, size };
}

/** A decimal number as CSV files write it. @throws DataError BAD_ROW with the place. */
export function parseNumber(field: string, source: string, line: number, column: number): number {
  const text = field.trim();
  // Number() would also take "", "0x10" and "Infinity".
  if (!NUMBER.test(text))
    throw new DataError(
      "BAD_ROW",
      `${source}, line ${line}, column ${column}: "${text.slice(0, 40)}" is not a number.`,
      { source, line, column },
    );
  return Number(text);
}
