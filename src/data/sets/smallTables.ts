// SPDX-License-Identifier: Apache-2.0

/** The four small UCI tables that scikit-learn ships. None comes with a test part: a keyed share of the rows is set aside. */

import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions, testShare } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { splitByClient, type WholeData } from "../loadedData.ts";
import { parseCsv } from "../readCsv.ts";
import { standardiseDatasets } from "../standardise.ts";

const options = { ...fileOptions, ...sampleOptions, testShare: testShare.default(0.2) };
const digitsSchema = z.strictObject({ name: z.literal("digits"), ...options });
const breastCancerSchema = z.strictObject({ name: z.literal("breast-cancer"), ...options });
const wineSchema = z.strictObject({ name: z.literal("wine"), ...options });
const irisSchema = z.strictObject({ name: z.literal("iris"), ...options });

const common = { folder: "sklearn_small", licence: "UCI, CC BY 4.0 (reported)" };

/** Optical digits, 1 797 images of 8 × 8 pixels. */
export const digits: DataSet<typeof digitsSchema> = {
  ...common,
  schema: digitsSchema,
  files: { "digits.csv.gz": "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a" },
  citation: "Alpaydin, Kaynak: Optical recognition of handwritten digits, UCI, 1998",
  async load({ name, testShare }, folder, random) {
    const text = await folder.readText("digits.csv.gz");
    const dataset = parseCsv(text, { inputs: 64, classes: 10, scale: 1 / 16 }, "digits.csv.gz");
    const { train, test } = splitByClient({ dataset }, testShare, random);
    return {
      name,
      kind: "image",
      shape: [1, 8, 8],
      classNames: Array.from({ length: 10 }, (_, digit) => String(digit)),
      train,
      test,
      notes: ["Pixels 0 … 16 divided by 16.", heldOutNote(testShare)],
    };
  },
};

/** Wisconsin diagnostic breast cancer, 569 rows of 30 features. */
export const breastCancer: DataSet<typeof breastCancerSchema> = {
  ...common,
  schema: breastCancerSchema,
  files: { "breast_cancer.csv": "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed" },
  citation: "Wolberg, Mangasarian, Street, Street: Breast cancer Wisconsin (diagnostic), UCI, 1995",
  load: (config, folder, random) => loadTable(config, "breast_cancer.csv", 30, ["malignant", "benign"], folder, random),
};

/** Wine cultivars, 178 rows of 13 features. */
export const wine: DataSet<typeof wineSchema> = {
  ...common,
  schema: wineSchema,
  files: { "wine_data.csv": "10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede" },
  citation: "Aeberhard, Forina: Wine, UCI, 1992",
  load: (config, folder, random) =>
    loadTable(config, "wine_data.csv", 13, ["class_0", "class_1", "class_2"], folder, random),
};

/** Fisher's irises, 150 rows of 4 features. */
export const iris: DataSet<typeof irisSchema> = {
  ...common,
  schema: irisSchema,
  files: { "iris.csv": "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449" },
  citation: "Fisher: The use of multiple measurements in taxonomic problems, 1936",
  load: (config, folder, random) =>
    loadTable(config, "iris.csv", 4, ["setosa", "versicolor", "virginica"], folder, random),
};

/** scikit-learn's layout: a first line of row count, column count and class names, then features and label. */
async function loadTable(
  { name, testShare }: { readonly name: string; readonly testShare: number },
  file: string,
  inputs: number,
  classNames: readonly string[],
  folder: DataFolder,
  random: Random,
): Promise<WholeData> {
  const text = await folder.readText(file);
  const dataset = parseCsv(text, { inputs, classes: classNames.length, header: true }, file);
  const header = text.slice(0, text.indexOf("\n")).trim();
  const expected = [dataset.size, inputs, ...classNames].join(",");
  if (header !== expected)
    throw new DataError("BAD_FORMAT", `${file} begins with "${header.slice(0, 80)}"; its rows say "${expected}".`, {
      file,
      header,
    });
  const { train, test } = splitByClient({ dataset }, testShare, random);
  const scaled = standardiseDatasets(train.dataset, test.dataset);
  return {
    name,
    kind: "table",
    shape: [inputs],
    classNames,
    train: { dataset: scaled.train },
    test: { dataset: scaled.test },
    notes: ["Every column standardised by the training rows.", heldOutNote(testShare)],
  };
}

const heldOutNote = (share: number): string =>
  `A share of ${share} of the rows, drawn at random by the seed, is the test part.`;
