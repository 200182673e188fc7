// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { readCsv } from "../data/readCsv.ts";
import { readDatasetFile } from "../data/readDatasetFile.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import type { Hints } from "./config.ts";

/** Where a participant's own data lies: a member's shard, or what a validator alone scores on. */
export const ownDataSchema = z.discriminatedUnion("kind", [
  /** The canonical dataset file that `src/data/encodeDataset.ts` writes. */
  z.strictObject({ kind: z.literal("dataset"), file: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("csv"),
    file: z.string().min(1),
    /** Features per row; the label is one more column, the last. */
    inputs: z.int().min(1),
    classes: z.int().min(2).max(65_536),
    /** Every feature is multiplied by this. */
    scale: z
      .number()
      .refine((value) => value !== 0, "0 would erase every feature")
      .default(1),
    header: z.boolean().default(false),
  }),
]);

export type OwnData = z.output<typeof ownDataSchema>;

/** What to write into the fields below `field`. */
export function ownDataHints(field: string): Hints {
  return {
    [`${field}.kind`]: "write csv, or dataset for the canonical file",
    [`${field}.file`]: "write the path of your data",
    [`${field}.inputs`]: "write how many feature columns a row has, the label not counted",
    [`${field}.classes`]: "write how many classes the labels 0, 1, … count",
    [`${field}.scale`]: "write the number that every feature is multiplied by, e.g. scale: 0.0625",
    [`${field}.header`]: "write true if the first row names the columns",
  };
}

/**
 * A participant's own data. It is read here and leaves the process in no form but updates, losses and scores.
 *
 * @param field of the configuration, for messages.
 * @throws ConfigError, DataError
 */
export async function loadOwnData(data: OwnData, model: ModelConfig, field: string): Promise<Dataset> {
  const samples = data.kind === "csv" ? await readCsv(data.file, data) : await readDatasetFile(data.file);
  if (samples.inputs !== model.inputs || samples.classes !== model.classes) {
    throw new ConfigError(
      `${data.file} has ${samples.inputs} features and ${samples.classes} classes; the run's model takes ${model.inputs} and ${model.classes}. Correct "${field}" in the configuration, or take part in another run.`,
      { file: data.file },
    );
  }
  return samples;
}
