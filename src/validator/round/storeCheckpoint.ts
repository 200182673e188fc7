// SPDX-License-Identifier: Apache-2.0
import { equalBytes, type Hex } from "../../protocol/bytes.ts";
import { contentIdOfDigest } from "../../protocol/contentId.ts";
import { FoedusError } from "../../protocol/errors.ts";
import type { ValidatorContext } from "../validatorContext.ts";

/**
 * Stores the new checkpoint, pins it and reads it back: attesting says that this validator holds the file and will serve it. It is served only
 * once the round is final.
 */
export async function storeCheckpoint(
  validator: ValidatorContext,
  checkpoint: Uint8Array,
  checkpointCid: Hex,
): Promise<void> {
  const id = contentIdOfDigest(checkpointCid);
  await validator.store.put(checkpoint);
  await validator.store.pin(id);
  const read = await validator.store.get(id, { maxBytes: checkpoint.length, timeoutMs: 0 });
  if (!equalBytes(read, checkpoint))
    throw new FoedusError(
      "STORE_CORRUPT",
      `The store gave back other bytes than it was given for ${id}; not attesting.`,
    );
}
