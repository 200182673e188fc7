// SPDX-License-Identifier: Apache-2.0

/** What one round of local training is given. */
export interface TrainingTask {
  readonly run: bigint;
  readonly round: number;
  /** Float view of the global model, flat. */
  readonly globalModel: Float32Array;
}

export interface TrainingOutcome {
  /** Local minus global, flat, float32. */
  readonly delta: Float32Array;
  /** n_i. */
  readonly samples: number;
  /** Loss of the *received* model on the member's data, in nats. */
  readonly receivedLoss: number;
}

/** A member's way of training: one recipe of client algorithm × local data. The node does the rest (docs/writing-a-recipe.md). */
export interface ClientAlgorithm {
  train(task: TrainingTask, signal: AbortSignal): Promise<TrainingOutcome>;
  /** For the closing round: loss and samples only. */
  evaluate(task: TrainingTask, signal: AbortSignal): Promise<Omit<TrainingOutcome, "delta">>;
}
