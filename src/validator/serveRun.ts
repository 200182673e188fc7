// SPDX-License-Identifier: Apache-2.0
import { MAX_DATASET_BYTES } from "../data/encodeDataset.ts";
import type { Hex } from "../protocol/bytes.ts";
import { checkpointSize } from "../protocol/checkpoint.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import { MAX_RECIPE_BYTES } from "../protocol/recipe.ts";
import type { ValidatorContext } from "./validatorContext.ts";

/** Holds, pins and serves what every replay of the run begins with: recipe, public held-out set if there is one, initial checkpoint. */
export async function serveRun(validator: ValidatorContext): Promise<void> {
  const { store, params, recipe, signal } = validator;
  const objects: [Hex, number][] = [
    [params.recipeCid, MAX_RECIPE_BYTES],
    ...(recipe.scoring.mode === "exact"
      ? [[recipe.scoring.heldOutCid as Hex, MAX_DATASET_BYTES] as [Hex, number]]
      : []),
    [params.initialCheckpointCid, checkpointSize(validator)],
  ];
  for (const [digest, maxBytes] of objects) {
    const id = contentIdOfDigest(digest);
    for await (const _ of store.getStream(id, { maxBytes, signal })) {
      // Reading to the end is what holds it.
    }
    await store.pin(id);
    await store.serve(id);
  }
}
