// SPDX-License-Identifier: Apache-2.0

import type { LocalOutcome, LocalState } from "../learning/algorithms/localAlgorithm.ts";

/** What one round of local training is given. */
export interface TrainingTask {
  readonly run: bigint;
  readonly round: number;
  /** Float view of what travels, flat: the global model, then the algorithm's auxiliary tensors, as the run's layout has them. */
  readonly state: Float32Array;
  /** What the member remembers of its last kept update; empty before. */
  readonly local: LocalState;
  /** K/N, the share of members that the round invites. */
  readonly participation: number;
}

export interface TrainingOutcome {
  /** Local minus received, as long as the state. */
  readonly delta: Float32Array;
  /** What of the state does not travel this time; left out: all of it does. */
  readonly silent?: LocalOutcome["silent"];
  /** n_i. */
  readonly samples: number;
  /** Loss of the *received* model on the member's data, in nats. */
  readonly receivedLoss: number;
  /** What the member remembers if this update is kept; left out: what it remembered before. */
  readonly local?: LocalState;
}

/** A member's way of training: one recipe of client algorithm × local data. The node does the rest (docs/writing-a-recipe.md). */
export interface ClientAlgorithm {
  train(task: TrainingTask, signal: AbortSignal): Promise<TrainingOutcome>;
  /** For the closing round: loss and samples only. */
  evaluate(task: TrainingTask, signal: AbortSignal): Promise<Omit<TrainingOutcome, "delta" | "silent" | "local">>;
}
