// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { Random } from "../../protocol/random.ts";
import type { DataFolder } from "../dataFolder.ts";
import { sampleOptions, testShare } from "../dataSet.ts";
import { splitByClient, type WholeData } from "../loadedData.ts";
import { parseCsv } from "../readCsv.ts";
import { standardiseDatasets } from "../standardise.ts";

/** A table of one's own: features, then the label as the last column. */
export const csvSchema = z.strictObject({
  name: z.literal("csv"),
  /** Folder of the files, instead of the data folder. */
  path: z.string().min(1).optional(),
  train: z.string().min(1),
  /** Left out, a share of the training file's rows is the test part. */
  test: z.string().min(1).optional(),
  testShare: testShare.default(0.2),
  inputs: z.int().min(1).max(1_000_000),
  classes: z.int().min(2).max(65_536),
  header: z.boolean().default(false),
  /** Every feature is multiplied by this. */
  scale: z
    .number()
    .refine((value) => value !== 0, "0 would erase every feature")
    .default(1),
  standardise: z.boolean().default(false),
  ...sampleOptions,
});

export async function loadCsv(
  config: z.output<typeof csvSchema>,
  folder: DataFolder,
  random: Random,
): Promise<WholeData> {
  const read = async (file: string) => ({ dataset: parseCsv(await folder.readText(file), config, file) });
  const first = await read(config.train);
  const parts =
    config.test === undefined
      ? splitByClient(first, config.testShare, random)
      : { train: first, test: await read(config.test) };
  const { train, test } = config.standardise
    ? standardiseDatasets(parts.train.dataset, parts.test.dataset)
    : { train: parts.train.dataset, test: parts.test.dataset };
  return {
    name: config.name,
    kind: "table",
    shape: [config.inputs],
    classNames: Array.from({ length: config.classes }, (_, c) => String(c)),
    train: { dataset: train },
    test: { dataset: test },
    notes: [
      `${config.train}, features times ${config.scale}${config.standardise ? ", standardised by the training rows" : ""}.`,
      config.test ?? `A share of ${config.testShare} of the rows, drawn at random by the seed, is the test part.`,
    ],
  };
}
