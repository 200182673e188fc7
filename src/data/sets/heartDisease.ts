// SPDX-License-Identifier: Apache-2.0

/**
 * UCI heart disease: 920 patients of four hospitals, which are the natural clients.
 *
 * Features (32): nine columns standardised by the training rows (age, sex, trestbps, chol, fbs, thalach, exang, oldpeak, ca), one-hot
 * codes of four (cp, restecg, slope, thal), and ten indicators of a missing value. A missing number becomes the training mean (0
 * after scaling), a missing code no code at all. A blood pressure or cholesterol of 0 is a missing value: Switzerland writes it so.
 */

import { z } from "zod";
import { type DataSet, fileOptions, sampleOptions, testShare } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { csvRows } from "../formats/csvRows.ts";
import { type Part, pick, splitByClient } from "../loadedData.ts";
import { parseNumber } from "../readCsv.ts";
import { standardiser } from "../standardise.ts";

const schema = z.strictObject({
  name: z.literal("heart-disease"),
  ...fileOptions,
  ...sampleOptions,
  testShare: testShare.default(0.2),
  /** 2: healthy or diseased (num > 0). 5: num 0 … 4. */
  classes: z.literal([2, 5]).default(2),
});

const HOSPITALS = ["cleveland", "hungarian", "switzerland", "va"];
const COLUMNS = 14;

/** Column numbers of the files: age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal num. */
const NUMBERS = [0, 1, 3, 4, 5, 7, 8, 9, 11];
const CODES: readonly { readonly column: number; readonly values: readonly number[] }[] = [
  { column: 2, values: [1, 2, 3, 4] },
  { column: 6, values: [0, 1, 2] },
  { column: 10, values: [1, 2, 3] },
  { column: 12, values: [3, 6, 7] },
];
const INDICATORS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const ZERO_IS_MISSING = new Set([3, 4]);
const LABEL = 13;
const INPUTS = NUMBERS.length + CODES.reduce((sum, { values }) => sum + values.length, 0) + INDICATORS.length;

/** Four hospitals: Cleveland 303, Hungarian 294, Switzerland 123, VA Long Beach 200 patients. */
export const heartDisease: DataSet<typeof schema> = {
  schema,
  folder: "heart_disease",
  files: {
    "processed.cleveland.data": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "processed.hungarian.data": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "processed.switzerland.data": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",
    "processed.va.data": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
  },
  licence: "UCI, CC BY 4.0 (reported)",
  citation: "Janosi, Steinbrunn, Pfisterer, Detrano: Heart disease, UCI, 1989",
  naturalClients: "four hospitals",
  async load({ name, testShare, classes }, folder, random) {
    const rows: Float64Array[] = [];
    const labels: number[] = [];
    const clients: number[] = [];
    for (const [client, hospital] of HOSPITALS.entries()) {
      const file = `processed.${hospital}.data`;
      for (const [i, fields] of csvRows(await folder.readText(file), COLUMNS, file).entries()) {
        const patient = fields.map((field, column) => parseField(field, column, file, i + 1));
        rows.push(featuresOf(patient));
        labels.push(labelOf(patient[LABEL] as number, classes, file, i + 1));
        clients.push(client);
      }
    }
    // The split is drawn over row numbers; features are made once the training rows are known.
    const whole: Part = {
      dataset: {
        features: Float32Array.from(rows.keys()),
        labels: Int32Array.from(labels),
        inputs: 1,
        classes,
        size: rows.length,
      },
      clients,
    };
    const { train, test } = splitByClient(whole, testShare, random);
    const scale = standardiser(tableOf(rows, train), {
      untouched: new Set(Array.from({ length: INPUTS - NUMBERS.length }, (_, i) => NUMBERS.length + i)),
    });
    const finish = (part: Part): Part => ({
      ...pick(part, [...part.dataset.labels.keys()]),
      dataset: { ...part.dataset, features: scale(tableOf(rows, part)), inputs: INPUTS },
    });
    return {
      name,
      kind: "table",
      shape: [INPUTS],
      classNames: classes === 2 ? ["healthy", "diseased"] : ["0", "1", "2", "3", "4"],
      clientNames: HOSPITALS,
      train: finish(train),
      test: finish(test),
      notes: [
        "Nine numeric columns standardised by all hospitals' training rows; cp, restecg, slope and thal one-hot.",
        "Missing numbers are the training mean, missing codes none, and ten indicators say which were missing; blood pressure 0 and cholesterol 0 count as missing.",
        `A share of ${testShare} of every hospital's patients, drawn at random by the seed, is the test part.`,
      ],
    };
  },
};

function tableOf(rows: readonly Float64Array[], { dataset }: Part): { values: Float64Array; columns: number } {
  const values = new Float64Array(dataset.size * INPUTS);
  for (let i = 0; i < dataset.size; i++) values.set(rows[dataset.features[i] as number] as Float64Array, i * INPUTS);
  return { values, columns: INPUTS };
}

function parseField(field: string, column: number, file: string, line: number): number {
  if (field.trim() === "?") return Number.NaN;
  const value = parseNumber(field, file, line, column + 1);
  return value === 0 && ZERO_IS_MISSING.has(column) ? Number.NaN : value;
}

function featuresOf(patient: readonly number[]): Float64Array {
  return Float64Array.from([
    ...NUMBERS.map((column) => patient[column] as number),
    ...CODES.flatMap(({ column, values }) => values.map((value) => (patient[column] === value ? 1 : 0))),
    ...INDICATORS.map((column) => (Number.isNaN(patient[column]) ? 1 : 0)),
  ]);
}

function labelOf(num: number, classes: 2 | 5, file: string, line: number): number {
  if (!Number.isInteger(num) || num < 0 || num > 4)
    throw new DataError("BAD_ROW", `${file}, line ${line}: the diagnosis ${num} is not one of 0 to 4.`, { file, line });
  return classes === 2 ? Math.min(num, 1) : num;
}
