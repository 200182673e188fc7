// SPDX-License-Identifier: Apache-2.0
import { fromHex } from "../protocol/bytes.ts";
import { privacyOf } from "../protocol/recipe.ts";
import type { ArtifactContext } from "../update/verifyArtifact.ts";
import type { Recipients } from "./recipients.ts";
import type { RunContext } from "./runContext.ts";

/** The context of all artifacts of a round, from chain, recipe and head. */
export function artifactContext(
  context: RunContext,
  round: { readonly closing: boolean; readonly recipients: Recipients; readonly master: Float64Array },
  recipient?: { index: number; privateKey: Uint8Array },
): ArtifactContext {
  const { update } = context.recipe;
  return {
    chainId: context.chainId,
    ledger: context.addresses.trainingLedger,
    closing: round.closing,
    private: privacyOf(context.recipe) !== undefined,
    layout: context.layout,
    codec: update.codec,
    bounds: { maxCoordinate: update.maxCoordinate, maxNormSq: BigInt(update.maxNormSq) },
    master: round.master,
    recipients: round.recipients.keys.map((key) => fromHex(key, 32)),
    ...(recipient === undefined ? {} : { recipient }),
  };
}
