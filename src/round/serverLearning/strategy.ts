// SPDX-License-Identifier: Apache-2.0

/**
 * The port of server-side learning: what a server does with a round's updates when that takes a model, data of its own, or memory of past
 * rounds. A strategy is a pure function of its state, the round and a keyed stream; it keeps nothing itself, so a round can be replayed.
 *
 * Vectors are float views. Where a result enters the master model, `movementOnGrid` rounds it, once.
 */

import type { Random } from "../../protocol/random.ts";

export type FloatVector = Float32Array | Float64Array;

/** One member's accepted update. */
export interface MemberUpdate {
  /** Ascending through a round's list, each once. */
  readonly member: number;
  /** w_i − w^t, and the changes of auxiliary tensors after it; equally long through a round's list. */
  readonly delta: FloatVector;
  /** n_i. */
  readonly samples: number;
  /** F_i(w^t), the loss of the received model on the member's data, in nats; absent where members report none. */
  readonly loss?: number;
}

/** What a strategy decides from. Nothing in it is changed. */
export interface ServerRound {
  readonly round: number;
  /** What members received: w^t, and auxiliary tensors after it. Only `functional` reads those. */
  readonly parameters: Float32Array;
  readonly updates: readonly MemberUpdate[];
  /** Names the run and round; only streams derived from it are used. */
  readonly random: Random;
  /** The run's own aggregation, for strategies that stand before or after it. */
  readonly base: BaseAggregation;
}

/**
 * The run's rule over float updates (the mean, a median, Multi-Krum, …).
 *
 * @param reference the server's own update, for rules that compare with one (FLTrust).
 */
export type BaseAggregation = (updates: readonly MemberUpdate[], reference?: FloatVector) => Promise<BaseResult>;

export interface BaseResult {
  readonly delta: FloatVector;
  /** One entry per update given. */
  readonly kept: readonly boolean[];
  /** λ, where the rule weighs whole updates. */
  readonly weights?: readonly number[];
}

/** Figures for reports, by name. */
export type Diagnostics = Readonly<Record<string, number | readonly number[]>>;

export interface ServerOutcome {
  /** How the received state moves: w^{t+1} − w^t before any server optimiser, as long as the updates. */
  readonly delta: FloatVector;
  /** One entry per update of the round. */
  readonly kept: readonly boolean[];
  readonly weights?: readonly number[];
  readonly diagnostics: Diagnostics;
  /** Models for single members, where the strategy personalises. */
  readonly personal?: ReadonlyMap<number, Float32Array>;
}

export interface ServerStrategy<State = unknown> {
  /** Before the first round. */
  readonly initial: State;
  /**
   * @returns the outcome, and the state for the next round if this one is finalised; a failed round keeps the old one.
   * @throws AggregationError BAD_INPUT, TOO_FEW_UPDATES; LearningError WRONG_SHAPE, DIVERGED.
   */
  aggregate(state: State, round: ServerRound): Promise<{ readonly state: State; readonly outcome: ServerOutcome }>;
  /** The server's own model, where members do not receive one; as the state has it. */
  model?(state: State): Float32Array;
}
