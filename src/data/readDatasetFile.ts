// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import { decodeDataset, MAX_DATASET_BYTES } from "./encodeDataset.ts";
import { DataError } from "./errors.ts";
import { readBounded } from "./readBounded.ts";

/** A canonical dataset file (`encodeDataset`). @throws DataError */
export async function readDatasetFile(path: string): Promise<Dataset> {
  const bytes = await readBounded(path, MAX_DATASET_BYTES, (size) => {
    const message = `${path} has ${size} bytes; a dataset has at most ${MAX_DATASET_BYTES}.`;
    return new DataError("TOO_LARGE", message, { path, size });
  });
  return decodeDataset(new Uint8Array(bytes));
}
