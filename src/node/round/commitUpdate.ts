// SPDX-License-Identifier: Apache-2.0
import type { RoundView } from "../../protocol/ledger.ts";
import { roundState } from "../../round/waitForRound.ts";
import type { NodeContext } from "../nodeContext.ts";
import type { PreparedUpdate } from "../nodeState.ts";

/**
 * Sends the signed commitment unless it is on chain already. The bytes go into the store first, held and not served: nobody can fetch or copy
 * them before the commit phase has ended.
 *
 * @returns whether this round has this node's commit.
 */
export async function commitUpdate(node: NodeContext, round: RoundView, prepared: PreparedUpdate): Promise<boolean> {
  await node.store.put(prepared.artifact);
  const mine = (await node.ledger.commits(round.run, round.round)).find(
    ({ commitment }) => commitment.memberId === node.memberId,
  );
  if (mine !== undefined) {
    if (mine.commitment.artifactDigest === prepared.commitment.artifactDigest) return true;
    node.logger.error(
      { round: round.round, onChain: mine.commitment.artifactDigest, onDisk: prepared.commitment.artifactDigest },
      "the chain holds another commitment of this member: is a second node running with its key?",
    );
    return false;
  }
  if ((await roundState(node.ledger, round.run, round.round)).phase !== "committing") return false;
  const { gasUsed, block } = await node.ledger.commit(prepared.commitment, prepared.signature);
  node.logger.info(
    {
      round: round.round,
      samples: prepared.commitment.samples,
      bytes: prepared.artifact.length,
      gas: Number(gasUsed),
      block,
    },
    "update committed",
  );
  return true;
}
