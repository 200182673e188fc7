// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";
import { decodeDataset, MAX_DATASET_BYTES } from "../data/encodeDataset.ts";
import { DataError } from "../data/errors.ts";
import { readCsv } from "../data/readCsv.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/recipe.ts";
import type { NodeConfig } from "./options.ts";

/** The member's own training data. It is read here and leaves this process in no form but updates and losses. */
export async function loadShard(config: NodeConfig["data"], model: ModelConfig): Promise<Dataset> {
  const shard =
    config.kind === "csv" ? await readCsv(config.file, config) : decodeDataset(await readBounded(config.file));
  if (shard.inputs !== model.inputs || shard.classes !== model.classes) {
    throw new ConfigError(
      `${config.file} has ${shard.inputs} features and ${shard.classes} classes; the run's model takes ${model.inputs} and ${model.classes}. Correct "data" in the configuration, or take part in another run.`,
      { file: config.file },
    );
  }
  return shard;
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > MAX_DATASET_BYTES)
      throw new DataError("TOO_LARGE", `${path} has ${size} bytes; a dataset has at most ${MAX_DATASET_BYTES}.`, {
        path,
        size,
      });
    return new Uint8Array(await file.readFile());
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      "UNREADABLE",
      `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}. Check the path and its permissions.`,
      { path },
      cause,
    );
  }
}
