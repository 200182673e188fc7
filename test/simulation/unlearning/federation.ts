// SPDX-License-Identifier: Apache-2.0

/**
 * A small federation whose members pull a vector toward a point of their own, noisily, with keyed randomness: real rounds on the exact grid, cheap
 * enough to run many times.
 */

import { AggregationError } from "../../../src/aggregation/aggregationError.ts";
import { toHex } from "../../../src/protocol/bytes.ts";
import { splitMaster } from "../../../src/protocol/grid.ts";
import { keccak256 } from "../../../src/protocol/hash.ts";
import { keyedRandom } from "../../../src/protocol/random.ts";
import type { AggregationConfig } from "../../../src/protocol/recipe/aggregationConfig.ts";
import type { StoredRound } from "../../../src/simulation/unlearning/recompute.ts";
import type { Head, ReplayableRun } from "../../../src/simulation/unlearning/replayableRun.ts";
import { aggregateInMemory, flatLayout, updatesOf } from "../../aggregation/fixtures.ts";

export const SIZE = 6;
const UNIT = 2 ** 18;
const layout = flatLayout(SIZE);

export interface Options {
  readonly members: readonly number[];
  readonly rounds: number;
  /** Members invited to each round. */
  readonly cohort: number;
  readonly rule?: AggregationConfig;
  readonly minAccepted?: number;
}

/** What a member would change of a state in a round: a noisy step of the given effort toward its own point. */
export function step(member: number, state: ArrayLike<number>, round: number, effort = 1): Float64Array {
  const target = keyedRandom("unlearning", "target", member);
  const noise = keyedRandom("unlearning", "training", round, member);
  return Float64Array.from(
    { length: SIZE },
    (_, j) => effort * 0.5 * (2 * target.normal() - (state[j] as number)) + 0.02 * noise.normal(),
  );
}

/** Advances a master model by one round's updates with the run's rule. */
export async function advance(
  master: Float64Array,
  { updates }: StoredRound<Int32Array>,
  rule: AggregationConfig = { rule: "weighted-mean" },
): Promise<Float64Array> {
  const result = await aggregateInMemory({
    updates: updatesOf(updates.map(({ update }) => update)),
    reputations: updates.map(() => 65_536),
    alphaQ16: 58_982,
    config: rule,
    master,
    layout,
  });
  return result.master;
}

export const stateOf = (master: Float64Array): Float32Array => splitMaster(master, layout).view;
export const digestOf = (master: Float64Array): string =>
  toHex(keccak256(new Uint8Array(Float64Array.from(master).buffer)));

export interface Recorded extends ReplayableRun {
  readonly stored: readonly StoredRound<Int32Array>[];
}

/** Runs it, and keeps what a replay needs. */
export async function record({ members, rounds, cohort, rule, minAccepted = 1 }: Options): Promise<Recorded> {
  const masters: Float64Array[] = [new Float64Array(SIZE)];
  const invited = (round: number): number[] =>
    keyedRandom("unlearning", "cohort", round)
      .shuffled(members)
      .slice(0, cohort)
      .sort((a, b) => a - b);
  const play = async (from: number, without: readonly number[], start: Float64Array) => {
    const [heads, stored, states]: [Head[], StoredRound<Int32Array>[], Float64Array[]] = [[], [], []];
    let master: Float64Array = start;
    for (let round = from; round <= rounds; round++) {
      const state = stateOf(master);
      const updates = invited(round)
        .filter((member) => !without.includes(member))
        .map((member) => ({
          member,
          update: Int32Array.from(step(member, state, round), (value) => Math.round(value * UNIT)),
        }));
      let failed: string | undefined;
      if (updates.length < minAccepted) failed = "TOO_FEW_UPDATES";
      else
        try {
          master = await advance(master, { round, updates }, rule);
        } catch (error) {
          if (!(error instanceof AggregationError)) throw error;
          failed = error.code;
        }
      heads.push({ round, digest: digestOf(master), state: stateOf(master), failed });
      stored.push({ round, updates: failed === undefined ? updates : [] });
      states.push(master);
    }
    return { heads, stored, states };
  };
  const { heads, stored, states } = await play(1, [], masters[0] as Float64Array);
  masters.push(...states);
  return {
    heads: [
      { round: 0, digest: digestOf(masters[0] as Float64Array), state: stateOf(masters[0] as Float64Array) },
      ...heads,
    ],
    stored,
    accepted: (round) => (stored[round - 1] as StoredRound<Int32Array>).updates.map(({ member }) => member),
    replay: async (from, without) => (await play(from, without, masters[from - 1] as Float64Array)).heads,
  };
}
