// SPDX-License-Identifier: Apache-2.0
import { type Hex, toHex } from "../protocol/bytes.ts";
import {
  type Checkpoint,
  type CheckpointFormat,
  checkpointSize,
  decodeCheckpoint,
  modelRoot,
} from "../protocol/checkpoint.ts";
import { contentIdOfDigest } from "../protocol/contentId.ts";
import type { ContentStore } from "../protocol/contentStore.ts";
import { FoedusError } from "../protocol/errors.ts";

/** The model of a checkpoint named on chain: fetched by CID, re-hashed to its model root, decoded only if canonical. */
export async function fetchCheckpoint(
  store: ContentStore,
  checkpoint: { checkpointCid: Hex; modelRoot: Hex },
  run: CheckpointFormat,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Checkpoint> {
  const bytes = await store.get(contentIdOfDigest(checkpoint.checkpointCid), {
    maxBytes: checkpointSize(run),
    ...options,
  });
  const root = toHex(modelRoot(bytes));
  if (root !== checkpoint.modelRoot) {
    throw new FoedusError(
      "CHECKPOINT_MISMATCH",
      `The checkpoint has model root ${root}; the chain says ${checkpoint.modelRoot}.`,
      {
        values: { expected: checkpoint.modelRoot, actual: root },
      },
    );
  }
  return decodeCheckpoint(bytes, run);
}
