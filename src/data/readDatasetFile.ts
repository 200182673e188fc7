// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";
import type { Dataset } from "../protocol/dataset.ts";
import { decodeDataset, MAX_DATASET_BYTES } from "./encodeDataset.ts";
import { DataError } from "./errors.ts";

/** A canonical dataset file (`encodeDataset`). @throws DataError */
export async function readDatasetFile(path: string): Promise<Dataset> {
  return decodeDataset(await readBounded(path));
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
