// SPDX-License-Identifier: Apache-2.0
import type { LocalAlgorithm, LocalOutcome } from "../../learning/algorithms/localAlgorithm.ts";
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";

/** A round of plain averaging for studies of what members do: uncoded, everybody takes part. */
export interface AveragedRound {
  readonly round: number;
  readonly state: Float32Array;
  readonly shards: readonly Dataset[];
  readonly algorithm: (member: number) => LocalAlgorithm;
  /** Names the run. */
  readonly random: Random;
  /** Of each member, where the algorithm has tiers. */
  readonly resources?: readonly number[];
}

/** Every member's outcome from the same state, members in order. Nobody remembers anything. */
export async function trainAll({
  round,
  state,
  shards,
  algorithm,
  random,
  resources,
}: AveragedRound): Promise<readonly LocalOutcome[]> {
  const outcomes: LocalOutcome[] = [];
  for (const [member, shard] of shards.entries()) {
    const stream = random.derive("training", round, member);
    const resource = resources?.[member];
    const task = { round, state, shard, random: stream, local: {}, participation: 1, resource };
    outcomes.push(await algorithm(member).train(task));
  }
  return outcomes;
}

/** w + Σ λ_i Δ_i with λ_i ∝ n_i. */
export function movedByMean(
  state: Float32Array,
  deltas: readonly (Float32Array | Float64Array)[],
  samples: readonly number[],
): Float32Array {
  const total = samples.reduce((sum, count) => sum + count, 0);
  return state.map(
    (value, j) =>
      value + deltas.reduce((sum, delta, i) => sum + ((samples[i] as number) / total) * (delta[j] as number), 0),
  );
}
