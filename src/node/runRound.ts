// SPDX-License-Identifier: Apache-2.0
import type { RoundView } from "../protocol/ledger.ts";
import type { NodeContext } from "./nodeContext.ts";
import { closeUpdate } from "./round/closeUpdate.ts";
import { commitUpdate } from "./round/commitUpdate.ts";
import { prepareUpdateOnce } from "./round/prepareUpdateOnce.ts";
import { publishUpdate } from "./round/publishUpdate.ts";

/**
 * One round of a node, from any point of it: each step looks at disk and chain first and does what is still to do, so a node that was killed
 * anywhere continues with the same bytes or leaves the round out.
 */
export async function runRound(node: NodeContext, round: RoundView): Promise<void> {
  const prepared = await prepareUpdateOnce(node, round);
  if (prepared === undefined) return;
  const committed = await commitUpdate(node, round, prepared);
  if (committed) await publishUpdate(node, round, prepared);
  await closeUpdate(node, round.round);
}
