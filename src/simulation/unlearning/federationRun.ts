// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { WideKernels } from "../../protocol/wideKernels.ts";
import { isEnsemble } from "../../round/serverLearning/serverConfig.ts";
import type { FederationConfig } from "../laboratory/cellConfig.ts";
import { assemble, type Surroundings } from "../laboratory/federation.ts";
import { simulateRound } from "../laboratory/simulateRound.ts";
import type { Head, ReplayableRun } from "./replayableRun.ts";
import { headOf, isWhole, restore, type Snapshot, snapshotOf } from "./snapshot.ts";

/**
 * Runs a federation of the laboratory and keeps what a replay needs: the heads, who took part, and a snapshot every `every` rounds.
 *
 * What remembers beyond the snapshot (attackers, private accounts, a server's strategy) is run again from the first round, which is as exact.
 */
export async function recordFederation(
  config: FederationConfig,
  seed: number,
  surroundings: Surroundings & { readonly kernels: WideKernels },
  every = 5,
): Promise<ReplayableRun> {
  if (config.schedule !== undefined || (config.server !== undefined && isEnsemble(config.server)))
    throw new ConfigError("Only a run of rounds with one model is replayed; leave out `schedule` and the ensemble.");
  const federation = await assemble(config, seed, surroundings);
  const resumable = isWhole(federation);
  const heads: Head[] = [headOf(federation, 0)];
  const accepted: number[][] = [];
  const snapshots: Snapshot[] = [snapshotOf(federation, 0)];
  for (let round = 1; round <= config.rounds; round++) {
    const { invited, refused, failed } = await simulateRound(federation, round, surroundings.kernels);
    const out = new Set(refused.map(({ id }) => id));
    accepted.push(invited.map(({ id }) => id).filter((id) => !out.has(id)));
    heads.push(headOf(federation, round, failed));
    if (resumable && round % every === 0) snapshots.push(snapshotOf(federation, round));
  }
  return {
    heads,
    accepted: (round) => accepted[round - 1] ?? [],
    async replay(from, without) {
      const again = await assemble(config, seed, { ...surroundings, without });
      const start = snapshots.findLast(({ round }) => round < from) as Snapshot;
      restore(again, start);
      const replayed: Head[] = [];
      // Rounds between the snapshot and `from` are those that nobody of `without` took part in.
      for (let round = start.round + 1; round <= config.rounds; round++) {
        const { failed } = await simulateRound(again, round, surroundings.kernels);
        if (round >= from) replayed.push(headOf(again, round, failed));
      }
      return replayed;
    },
  };
}
