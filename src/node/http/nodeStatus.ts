// SPDX-License-Identifier: Apache-2.0
import { measured, measuredLedger } from "../../process/measure.ts";
import { runStatus } from "../../process/runStatus.ts";
import type { Describe, StatusBoard } from "../../process/statusBoard.ts";
import type { NodeContext } from "../nodeContext.ts";

/** How a node stands: the run, who it is, what it has in flight, its account. */
export function nodeStatus(node: NodeContext, samples: number, board: StatusBoard): Describe {
  return async () => {
    const { ledger, run, memberId } = node;
    const [status, standing, pendingRounds] = await Promise.all([
      runStatus(ledger, run, board.metrics),
      ledger.standingOf(run, memberId),
      node.state.pendingRounds(),
    ]);
    return {
      ...status,
      recipe: node.recipe.name,
      member: memberId,
      account: ledger.account,
      samples,
      pendingRounds,
      ...(node.privacy === undefined ? {} : { privacy: node.privacy.spending() }),
      standing: {
        reputation: standing.reputationQ16 / 65_536,
        contribution: standing.contribution.toString(),
        participation: standing.participation,
        reward: standing.reward.toString(),
        claimed: standing.claimed,
      },
    };
  };
}

/** The same node, with its transactions and its training counted. */
export function measuredNode(node: NodeContext, { metrics }: StatusBoard): NodeContext {
  const { algorithm } = node;
  return {
    ...node,
    ledger: measuredLedger(node.ledger, metrics),
    algorithm: {
      train: measured("training", (task, signal) => algorithm.train(task, signal), metrics),
      evaluate: measured("evaluation", (task, signal) => algorithm.evaluate(task, signal), metrics),
    },
  };
}
