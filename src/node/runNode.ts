// SPDX-License-Identifier: Apache-2.0
import { EXIT, FoedusError } from "../protocol/errors.ts";
import type { RoundView } from "../protocol/ledger.ts";
import { isClosed, roundState } from "../round/waitForRound.ts";
import { claimReward } from "./claimReward.ts";
import type { NodeContext } from "./nodeContext.ts";
import { closeUpdate } from "./round/closeUpdate.ts";
import { runRound } from "./runRound.ts";

/** Takes part in a run until it has ended and its reward is claimed. Stopping it anywhere loses nothing that was committed. */
export async function runNode(node: NodeContext): Promise<void> {
  for (const round of await node.state.pendingRounds()) {
    if (isClosed(await roundState(node.ledger, node.run, round))) await closeUpdate(node, round);
  }
  let done = 0;
  for (;;) {
    node.signal.throwIfAborted();
    const run = await node.ledger.runView(node.run);
    if (run.lastRound > done) {
      const { round, phase } = await roundState(node.ledger, node.run, run.lastRound);
      done = run.lastRound;
      // A round that is past committing matters only if this node has committed to it.
      if (phase === "committing" || (await node.state.prepared(done)) !== undefined) await tryRound(node, round);
      continue;
    }
    if (run.ended) return claimReward(node);
    await node.ledger.waitForBlockAfter(await node.ledger.blockNumber(), node.signal);
  }
}

/** A round that goes wrong is left out, not the run: whatever was committed in it is closed when the round is. What only the operator can mend ends the node. */
async function tryRound(node: NodeContext, round: RoundView): Promise<void> {
  try {
    await runRound(node, round);
  } catch (error) {
    node.signal.throwIfAborted();
    if (error instanceof FoedusError && error.exitCode !== EXIT.verificationFailed) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    node.logger.error({ round: round.round, error: reason }, "this node leaves the round out");
    if ((await node.state.prepared(round.round)) !== undefined) await closeUpdate(node, round.round);
  }
}
