// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";

/** What a member remembers of each arm: how often it was played, then its mean reward. Two values per arm. */
export type BanditState = Float32Array;

/** The member's state, or that of a bandit that has not played. */
export function banditState(remembered: Float32Array | undefined, arms: number): BanditState {
  return remembered?.length === 2 * arms ? remembered : new Float32Array(2 * arms);
}

/**
 * ε-greedy (Sutton & Barto 2018, §2.2): each arm once in order, then with probability ε any arm, else the one with the largest mean reward, the
 * first of equal ones.
 */
export function chooseArm(state: BanditState, exploration: number, random: Random): number {
  const arms = state.length / 2;
  let best = 0;
  for (let arm = 0; arm < arms; arm++) {
    if (state[2 * arm] === 0) return arm;
    if ((state[2 * arm + 1] as number) > (state[2 * best + 1] as number)) best = arm;
  }
  return random.uniform() < exploration ? random.integerBelow(arms) : best;
}

/**
 * The state after an arm's reward: Q ← Q + (r − Q)/min(n, memory), the plain mean at first and then one that forgets (§2.5 there), since rewards
 * fall as a model learns.
 */
export function rewarded(state: BanditState, arm: number, reward: number, memory: number): BanditState {
  const next = state.slice();
  const count = (state[2 * arm] as number) + 1;
  const mean = state[2 * arm + 1] as number;
  next[2 * arm] = count;
  // + 0 keeps −0 out.
  next[2 * arm + 1] = mean + (reward - mean) / Math.min(count, memory) + 0;
  return next;
}
