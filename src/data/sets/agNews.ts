// SPDX-License-Identifier: Apache-2.0

/** AG News: which of four topics a news item has, from its title and description. */

import { z } from "zod";
import type { DataFolder } from "../dataFolder.ts";
import { type DataSet, fileOptions, sampleOptions } from "../dataSet.ts";
import { DataError } from "../errors.ts";
import { csvRows } from "../formats/csvRows.ts";
import { buildVocabulary, encodeTokens, tokenise } from "../tokens.ts";

const schema = z.strictObject({
  name: z.literal("ag-news"),
  ...fileOptions,
  ...sampleOptions,
  /** Token ids, with padding and unknown. */
  vocabulary: z.int().min(3).max(65_536).default(4096),
  /** Tokens per item: longer items are cut at the end, shorter ones padded there. */
  length: z.int().min(1).max(1024).default(48),
});

const TRAIN_FILE = "train_20k.csv.gz";
const TEST_FILE = "test.csv.gz";
const CLASS_NAMES = ["World", "Sports", "Business", "Sci/Tech"];

/** 20 000 training items, and the full official test file of 7 600. */
export const agNews: DataSet<typeof schema> = {
  schema,
  folder: "ag_news",
  files: {
    [TRAIN_FILE]: "537c70750238921bb178f0ce30e73e83b70165ddd3fbf37045d39b24a3df93f9",
    [TEST_FILE]: "a0687337e1d12c4c6e06e96e5ffaf0cdbfc59a2a20614bd7598a4f4b167b6eec",
  },
  licence: "non-commercial use only (stated upstream)",
  citation: "Zhang, Zhao, LeCun: Character-level convolutional networks for text classification, NeurIPS 2015",
  async load({ name, vocabulary, length }, folder) {
    const train = await readItems(folder, TRAIN_FILE);
    const test = await readItems(folder, TEST_FILE);
    const words = buildVocabulary(train.texts, vocabulary);
    const part = ({ texts, labels }: Items) => ({
      dataset: {
        features: encodeTokens(texts, words, length),
        labels,
        inputs: length,
        classes: CLASS_NAMES.length,
        size: labels.length,
      },
    });
    return {
      name,
      kind: "tokens",
      shape: [length],
      classNames: CLASS_NAMES,
      vocabulary,
      train: part(train),
      test: part(test),
      notes: [
        `Lower-case words; the ${words.size} most frequent of the training file, by count, then code unit; id 0 pads, 1 is any other word.`,
        `Title and description, the first ${length} words.`,
      ],
    };
  },
};

interface Items {
  readonly texts: readonly string[][];
  readonly labels: Int32Array;
}

async function readItems(folder: DataFolder, file: string): Promise<Items> {
  const rows = csvRows(await folder.readText(file), 3, file);
  const labels = Int32Array.from(rows, ([label], i) => {
    const topic = ["1", "2", "3", "4"].indexOf(label as string);
    if (topic < 0)
      throw new DataError("BAD_ROW", `${file}, row ${i + 1}: there is no class "${label}".`, { file, row: i + 1 });
    return topic;
  });
  return { texts: rows.map(([, title, description]) => tokenise(`${title} ${description}`)), labels };
}
