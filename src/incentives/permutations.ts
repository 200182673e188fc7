// SPDX-License-Identifier: Apache-2.0
import { keyedRandom } from "../protocol/random.ts";
import { magnitude } from "./utility.ts";

/** What random orders are drawn from. */
export interface RoundName {
  /** R_t, the beacon of the round, which nobody knew while updates were made. */
  readonly beacon: Uint8Array;
  readonly run: bigint;
  readonly round: number;
}

/** Order 2j, drawn from (R_t, "shapley", run, round, j), and its reverse, order 2j+1: their errors largely cancel. */
export function antitheticPair(players: number, { beacon, run, round }: RoundName, j: number): readonly number[][] {
  const order = keyedRandom(beacon, "shapley", run, round, j).permutation(players);
  return [order, order.toReversed()];
}

/**
 * v(prefix ∪ i) − v(prefix) of each player as the order reaches it.
 *
 * @param total v(N). The scan stops, and what is left of the marginals is 0, when |v(N) − v(prefix)| < `truncation`.
 * @returns by player, not by place.
 */
export async function marginalsAlong(
  order: readonly number[],
  utilityOf: (coalition: bigint) => Promise<bigint>,
  total: bigint,
  truncation: bigint,
): Promise<bigint[]> {
  const marginals = new Array<bigint>(order.length).fill(0n);
  let coalition = 0n;
  let value = 0n;
  for (const player of order) {
    if (magnitude(total - value) < truncation) break;
    coalition |= 1n << BigInt(player);
    const next = await utilityOf(coalition);
    marginals[player] = next - value;
    value = next;
  }
  return marginals;
}
