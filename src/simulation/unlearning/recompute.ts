// SPDX-License-Identifier: Apache-2.0

/** One round's accepted updates, by ascending member id, with whatever the run's aggregation needs of each. */
export interface StoredRound<U> {
  readonly round: number;
  readonly updates: readonly { readonly member: number; readonly update: U }[];
}

/**
 * Forgets a member approximately and without training (spec I2): w'^{t+1} = w'^t + Agg({Δ_i^t}_{i≠u}) from the stored updates.
 *
 * Not exact: from the member's first round on, the others' updates were computed at a model that it had moved. A starting point for what follows.
 *
 * @param advance the run's own aggregation: the state after a round from the state before it.
 */
export async function forgetByRecomputing<S, U>(
  initial: S,
  rounds: readonly StoredRound<U>[],
  member: number,
  advance: (state: S, round: StoredRound<U>) => S | Promise<S>,
): Promise<S> {
  let state = initial;
  for (const { round, updates } of rounds)
    state = await advance(state, { round, updates: updates.filter((stored) => stored.member !== member) });
  return state;
}
