// SPDX-License-Identifier: Apache-2.0
import { groupOf } from "../../round/serverLearning/flCert/groups.ts";
import { type ExactReplay, forgetByReplay } from "./exactReplay.ts";
import type { ReplayableRun } from "./replayableRun.ts";

export interface ShardReplay extends ExactReplay {
  /** The group that was run again. */
  readonly group: number;
  /** Rounds that were run again over those of all groups' runs: at most 1/N_g. */
  readonly cost: number;
}

/**
 * Forgets a member of a sharded federation (spec I4): members are in disjoint groups by a hash of their id (FLCert-D), each with a model of its own,
 * so only the member's group is run again. Exact, at 1/N_g of the cost; the other groups' models never saw it.
 *
 * Source: Bourtoule et al. 2021, "Machine unlearning" (SISA), with clients in place of samples.
 *
 * @param groups the groups' runs, in order of the groups.
 */
export async function forgetInShard(groups: readonly ReplayableRun[], member: number): Promise<ShardReplay> {
  const group = groupOf(member, groups.length);
  const replay = await forgetByReplay(groups[group] as ReplayableRun, member);
  const rounds = groups.reduce((sum, { heads }) => sum + heads.length - 1, 0);
  return { ...replay, group, cost: replay.record.replayed / rounds };
}
