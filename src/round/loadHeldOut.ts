// SPDX-License-Identifier: Apache-2.0
import { decodeDataset, MAX_DATASET_BYTES } from "../data/encodeDataset.ts";
import { type Hex, toHex } from "../protocol/bytes.ts";
import { chunkRoot } from "../protocol/chunkRoot.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { FoedusError } from "../protocol/errors.ts";
import type { ScoringConfig } from "../protocol/recipe/scoringConfig.ts";

/** The public held-out set that the recipe of a run with exact scoring names, re-hashed. */
export async function loadHeldOut(
  store: ContentStore,
  { heldOutCid, heldOutDigest }: Extract<ScoringConfig, { mode: "exact" }>,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Dataset> {
  const bytes = await store.get(contentIdOfDigest(heldOutCid as Hex), { maxBytes: MAX_DATASET_BYTES, ...options });
  const digest = toHex(chunkRoot(bytes));
  if (digest !== heldOutDigest) {
    throw new FoedusError(
      "HELD_OUT_MISMATCH",
      `The held-out set has digest ${digest}; the recipe says ${heldOutDigest}.`,
      { values: { expected: heldOutDigest, actual: digest } },
    );
  }
  return decodeDataset(bytes);
}
