// SPDX-License-Identifier: Apache-2.0
import { contentIdOfDigest } from "../../protocol/contentId.ts";
import type { RoundView } from "../../protocol/ledger.ts";
import { isPast, waitForRound } from "../../round/waitForRound.ts";
import type { NodeContext } from "../nodeContext.ts";
import type { PreparedUpdate } from "../nodeState.ts";

/** Serves the committed bytes once the commit phase has ended, when nobody can react to them any more. */
export async function publishUpdate(node: NodeContext, round: RoundView, prepared: PreparedUpdate): Promise<void> {
  await waitForRound(node.ledger, round.run, round.round, (state) => isPast(state, "committing"), node.signal);
  await node.store.serve(contentIdOfDigest(prepared.commitment.artifactCid));
  node.logger.debug({ round: round.round }, "update served");
}
