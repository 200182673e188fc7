// SPDX-License-Identifier: Apache-2.0

/**
 * The port of client algorithms: what a member does with its shard in one round. Nodes and the laboratory run the same ones.
 *
 * Everything that travels is one vector, the *state*: the model's parameters, then the algorithm's auxiliary tensors (SCAFFOLD's control variate,
 * FedEBA+'s fair gradient, …), all of them tensors of the run's layout. A member receives the state and sends how it would change it, so that
 * auxiliary vectors are quantised, clipped, aggregated by the run's rule and recorded exactly like the model. A vector that the server replaces by
 * a mean instead of adding to it is sent as its difference from what was received.
 */

import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { Stretch } from "../../protocol/stretch.ts";

/** What a member remembers between its rounds, by name; empty before its first. Never leaves the member. */
export type LocalState = Readonly<Record<string, Float32Array>>;

/** A tensor that travels beside the model. */
export interface AuxiliaryTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Where it starts; zeros if left out. Same length as the product of the shape. */
  readonly initial?: Float32Array;
}

export interface LocalTask {
  readonly round: number;
  /** The received state: parameters, then auxiliary tensors in the algorithm's order. Not changed. */
  readonly state: Float32Array;
  readonly shard: Dataset;
  /** Names the run, round and member; only streams derived from it are used. */
  readonly random: Random;
  readonly local: LocalState;
  /** K/N, the share of members that a round invites; 1 when all take part. */
  readonly participation: number;
  /** Most local steps this member manages: partial work is sent as it stands. Left out: the plan's. */
  readonly maxSteps?: number | undefined;
  /** How many times over this member could train a round within its deadline (spec B10.2); algorithms with tiers need it. */
  readonly resource?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LocalOutcome {
  /** How the member would change the state; as long as it. */
  readonly delta: Float32Array;
  /**
   * What of the state does not travel this time, where the algorithm chooses: sent as 0. What earlier updates left unsaid there waits on; it would look
   * like an update.
   */
  readonly silent?: readonly Stretch[];
  /** Mean over the steps of each batch's loss before its step, in nats; NaN where the algorithm takes no loss. */
  readonly trainLoss: number;
  /** What the member remembers if this update is kept in a finalised round; otherwise `local` stays as it was. */
  readonly local: LocalState;
}

export interface LocalAlgorithm {
  readonly auxiliary: readonly AuxiliaryTensor[];
  /** @throws LearningError DIVERGED when the loss or a parameter is no longer finite. */
  train(task: LocalTask): Promise<LocalOutcome>;
  /**
   * The parameters that the member itself would use, where they differ from the global model's: local layers put back (partial exchange), a few
   * steps of adaptation (FedMeta). What the laboratory evaluates members with.
   */
  personalise?(task: LocalTask): Promise<Float32Array>;
  /**
   * The parameters that a state stands for, where these are not its first coordinates (LoRA's factors beside a fixed base). undefined: the state is no
   * model (functional aggregation).
   */
  globalModel?(state: Float32Array): Float32Array | undefined;
}
