// SPDX-License-Identifier: Apache-2.0
import { hasBit } from "../../protocol/bitmap.ts";
import { isClosed, waitForRound } from "../../round/waitForRound.ts";
import type { NodeContext } from "../nodeContext.ts";

/** Waits until the round has closed; the residual advances only if the update was kept in a finalised round (design §4.2). */
export async function closeUpdate(node: NodeContext, round: number): Promise<void> {
  const state = await waitForRound(node.ledger, node.run, round, isClosed, node.signal);
  const finalised = state.phase === "finalised" ? await node.ledger.finalised(node.run, round) : undefined;
  const mine = finalised?.finalisation.committed.find(({ memberId }) => memberId === node.memberId);
  const kept = finalised !== undefined && mine !== undefined && hasBit(finalised.result.kept, mine.commitIndex);
  await node.state.close(round, kept && !state.round.closing);
  node.logger.info(
    { round, phase: state.phase, kept, ...(state.failure === undefined ? {} : { failure: state.failure }) },
    "round closed",
  );
}
