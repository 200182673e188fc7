// SPDX-License-Identifier: Apache-2.0

/** The sections of an experiment file that speak of data, and what they load. */

import { resolve } from "node:path";
import { z } from "zod";
import { keyedRandom, type Random } from "../protocol/random.ts";
import { DataFolder } from "./dataFolder.ts";
import type { DataSet } from "./dataSet.ts";
import { DATA_SETS, GENERATORS } from "./datasets.ts";
import { DataError } from "./errors.ts";
import type { Generator } from "./generators/generator.ts";
import { choose, type LoadedData } from "./loadedData.ts";
import { csvSchema, loadCsv } from "./sets/csv.ts";

/** The other section: how the training samples are dealt. */
export { partition, partitionSchema } from "./partition.ts";

type DataSchema =
  | (typeof DATA_SETS)[keyof typeof DATA_SETS]["schema"]
  | (typeof GENERATORS)[keyof typeof GENERATORS]["schema"]
  | typeof csvSchema;

/** One alternative per row of the tables. */
const schemas = [csvSchema, ...[...Object.values(DATA_SETS), ...Object.values(GENERATORS)].map(({ schema }) => schema)];

export const dataSchema = z.discriminatedUnion("name", schemas as unknown as readonly [DataSchema, ...DataSchema[]]);

export type DataConfig = z.output<typeof dataSchema>;

/**
 * The data that a configuration names. Equal configurations, seeds and files give equal data.
 *
 * @param root the folder of data sets; a set's own folder below it can be replaced by `path`, which is relative to it.
 * @param seed of everything that is drawn: generated samples, test shares, the choice of samples.
 * @throws DataError MISSING_FILE, WRONG_DIGEST, UNREADABLE, TOO_LARGE, BAD_FORMAT, BAD_ROW, CANNOT_DEAL.
 */
export async function loadData(
  config: DataConfig,
  { root, seed }: { readonly root: string; readonly seed: Uint8Array | string },
): Promise<LoadedData> {
  const random = keyedRandom(seed, "data", config.name);
  if (Object.hasOwn(GENERATORS, config.name)) {
    const generator = GENERATORS[config.name as keyof typeof GENERATORS] as unknown as Generator<z.ZodType<DataConfig>>;
    return generator.generate(config, random);
  }
  return loadFiles(config as Exclude<DataConfig, { name: keyof typeof GENERATORS }>, root, random);
}

async function loadFiles(
  config: Exclude<DataConfig, { name: keyof typeof GENERATORS }>,
  root: string,
  random: Random,
): Promise<LoadedData> {
  const split = random.derive("split");
  if (config.name === "csv") {
    const folder = new DataFolder(resolve(root, config.path ?? "."), {}, false);
    return choose(await loadCsv(config, folder, split), config, random);
  }
  const set = DATA_SETS[config.name] as unknown as DataSet<z.ZodType<typeof config>>;
  const folder = new DataFolder(resolve(root, config.path ?? set.folder), set.files, config.verify, set.source);
  const whole = await set.load(config, folder, split);
  if (whole.train.dataset.size < 1 || whole.test.dataset.size < 1)
    throw new DataError(
      "CANNOT_DEAL",
      `${config.name} leaves training or testing without samples. Choose another split.`,
      {
        train: whole.train.dataset.size,
        test: whole.test.dataset.size,
      },
    );
  return choose(whole, config, random);
}
