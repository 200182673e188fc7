// SPDX-License-Identifier: Apache-2.0

/**
 * NSL-KDD intrusion detection: connections described by 41 columns, labelled normal or with one of 39 attacks in four families.
 *
 * Features: 38 numeric columns, of which 14 unbounded counts x become log(1 + x), all standardised by the training rows and held
 * within ±10; then one-hot codes of protocol, service and flag over the values that occur in training, by code unit. A value that
 * only the test part has gets no code.
 */

import { z } from "zod";
import { log } from "../../protocol/math.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { csvRows } from "../formats/csvRows.ts";
import type { Part } from "../loadedData.ts";
import { parseNumber } from "../readCsv.ts";
import { standardiser } from "../standardise.ts";

const schema = z.strictObject({
  name: z.literal("nsl-kdd"),
  ...fileOptions,
  ...sampleOptions,
  /** 2: normal or attack. 5: normal and four families. */
  classes: z.literal([2, 5]).default(2),
  /** Which column's values are the natural clients. */
  clients: z.enum(["protocol", "service"]).default("protocol"),
});

const COLUMNS = 43;
const FEATURE_COLUMNS = 41;
const ATTACK = 41;
const SYMBOLIC = [1, 2, 3];
const NUMERIC = Array.from({ length: FEATURE_COLUMNS }, (_, i) => i).filter((i) => !SYMBOLIC.includes(i));
/** duration, bytes both ways, hot, failed logins, compromised, root, file creations, shells, access files, and the four counts. */
const COUNTS = new Set([0, 4, 5, 9, 10, 12, 15, 16, 17, 18, 22, 23, 31, 32]);

const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  normal: ["normal"],
  dos: ["back", "land", "neptune", "pod", "smurf", "teardrop", "apache2", "mailbomb", "processtable", "udpstorm"],
  probe: ["ipsweep", "nmap", "portsweep", "satan", "mscan", "saint"],
  r2l: [
    ...["ftp_write", "guess_passwd", "imap", "multihop", "phf", "spy", "warezclient", "warezmaster"],
    ...["httptunnel", "named", "sendmail", "snmpgetattack", "snmpguess", "worm", "xlock", "xsnoop"],
  ],
  u2r: ["buffer_overflow", "loadmodule", "perl", "rootkit", "ps", "sqlattack", "xterm"],
};
const FAMILY_NAMES = Object.keys(FAMILIES);
const FAMILY_OF = new Map(
  FAMILY_NAMES.flatMap((family, label) =>
    (FAMILIES[family] as readonly string[]).map((attack) => [attack, label] as const),
  ),
);

const TRAIN_FILE = "KDDTrain+_20Percent.txt.gz";
const TEST_FILE = "KDDTest+.txt.gz";

/** The official 20 % training file (25 192 rows) and test file (22 544 rows). */
export const nslKdd: DataSet<typeof schema> = {
  schema,
  folder: "nsl_kdd",
  files: {
    [TRAIN_FILE]: "fc113da7acc7e3006f0c3bf00c9ba5c052be44b00af3b1951beff90694bf66ff",
    [TEST_FILE]: "1ebe1079af669e3c35ef7be25b5bafde1e47951244d1b4834682b14a22238da1",
  },
  licence: "none stated; research use with citation",
  citation: "Tavallaee, Bagheri, Lu, Ghorbani: A detailed analysis of the KDD CUP 99 data set, CISDA 2009",
  naturalClients: "network service or protocol",
  async load({ name, classes, clients }, folder) {
    const trainRows = csvRows(await folder.readText(TRAIN_FILE), COLUMNS, TRAIN_FILE);
    const testRows = csvRows(await folder.readText(TEST_FILE), COLUMNS, TEST_FILE);
    const codes = SYMBOLIC.map((column) => codesOf(trainRows, column));
    const inputs = NUMERIC.length + codes.reduce((sum, { size }) => sum + size, 0);
    const train = { values: numbersOf(trainRows, TRAIN_FILE), columns: NUMERIC.length };
    const scale = standardiser(train);

    // Clients are numbered over both files, so that a service that only the test file has is a client of its own.
    const clientColumn = clients === "protocol" ? 1 : 2;
    const clientIds = codesOf([...trainRows, ...testRows], clientColumn);
    const partOf = (rows: readonly string[][], numbers: Float32Array, file: string): Part => {
      const features = new Float32Array(rows.length * inputs);
      for (const [i, row] of rows.entries()) {
        features.set(numbers.subarray(i * NUMERIC.length, (i + 1) * NUMERIC.length), i * inputs);
        let at = i * inputs + NUMERIC.length;
        for (const [k, code] of codes.entries()) {
          const index = code.get(row[SYMBOLIC[k] as number] as string);
          if (index !== undefined) features[at + index] = 1;
          at += code.size;
        }
      }
      const labels = Int32Array.from(rows, (row, i) => labelOf(row[ATTACK] as string, classes, file, i + 1));
      return {
        dataset: { features, labels, inputs, classes, size: rows.length },
        clients: rows.map((row) => clientIds.get(row[clientColumn] as string) as number),
      };
    };
    const test = { values: numbersOf(testRows, TEST_FILE), columns: NUMERIC.length };
    return {
      name,
      kind: "table",
      shape: [inputs],
      classNames: classes === 2 ? ["normal", "attack"] : FAMILY_NAMES,
      clientNames: [...clientIds.keys()],
      train: partOf(trainRows, scale(train), TRAIN_FILE),
      test: partOf(testRows, scale(test), TEST_FILE),
      notes: [
        "Counts as log(1 + x); numeric columns standardised by the training rows and held within ±10.",
        "Protocol, service and flag one-hot over the training values; values new in the test file have no code.",
        "httptunnel and worm count as r2l.",
      ],
    };
  },
};

/** A column's values in code-unit order, numbered. */
function codesOf(rows: readonly string[][], column: number): ReadonlyMap<string, number> {
  const values = [...new Set(rows.map((row) => row[column] as string))].sort((a, b) => (a < b ? -1 : 1));
  return new Map(values.map((value, index) => [value, index]));
}

function numbersOf(rows: readonly string[][], file: string): Float64Array {
  const values = new Float64Array(rows.length * NUMERIC.length);
  for (const [i, row] of rows.entries())
    for (const [k, column] of NUMERIC.entries()) {
      const value = parseNumber(row[column] as string, file, i + 1, column + 1);
      if (value < 0)
        throw new DataError("BAD_ROW", `${file}, line ${i + 1}, column ${column + 1}: ${value} is negative.`, {
          file,
          line: i + 1,
        });
      values[i * NUMERIC.length + k] = COUNTS.has(column) ? log(1 + value) : value;
    }
  return values;
}

function labelOf(attack: string, classes: 2 | 5, file: string, line: number): number {
  const family = FAMILY_OF.get(attack);
  if (family === undefined)
    throw new DataError("BAD_ROW", `${file}, line ${line}: there is no attack "${attack.slice(0, 40)}" in NSL-KDD.`, {
      file,
      line,
    });
  return classes === 2 ? Math.min(family, 1) : family;
}
