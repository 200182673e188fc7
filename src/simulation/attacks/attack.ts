// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { AggregationConfig } from "../../protocol/recipe/aggregationConfig.ts";
import type { CodecConfig } from "../../protocol/recipe/codecConfig.ts";
import type { PayloadExtent } from "../../update/payloadExtent.ts";

/**
 * The port of attacks, for simulations only. Updates are differences of the model (Δ, the direction the server adds), in units of the
 * parameters; formulas of papers that speak of gradients have been turned round.
 */

export type Vector = Float32Array | Float64Array;

/** What an attack may use of a round. Vectors are not changed. */
export interface CraftInput {
  readonly round: number;
  /** What the knowledge level grants: the honest updates, or the attackers' own. Never empty. */
  readonly benign: readonly Vector[];
  /** Whether `benign` are the honest members'. */
  readonly knowsUpdates: boolean;
  /** What the f attackers would have sent. */
  readonly own: readonly Vector[];
  /** Their uploads of the last round in which they took part; undefined before. */
  readonly last: readonly (Vector | undefined)[];
  /** K, the round's members, attackers included. */
  readonly members: number;
  /** w^t. */
  readonly received: Vector;
  /** w^{t−1}; undefined in the first round. */
  readonly previous: Vector | undefined;
  /** The run's rule, where the knowledge level grants it. */
  readonly rule: AggregationConfig | undefined;
  readonly random: Random;
  readonly learner: AttackLearner | undefined;
  readonly symmetry: Symmetry | undefined;
}

/** What an attack that optimises needs of machine learning. All vectors are as long as the state that members receive. */
export interface AttackLearner {
  /** C. */
  readonly classes: number;
  /** Cross-entropy on the attackers' data, in nats, and its gradient. */
  loss(state: Float32Array): Promise<{ readonly loss: number; readonly gradient: Vector }>;
  /** An estimate of the gradient of ‖J‖_F², J the Jacobian of the logits by the parameters, on the attackers' data. */
  jacobianGradient(state: Float32Array, random: Random): Promise<Vector>;
}

/** The same function with its hidden units in another order, drawn from `random`. */
export type Symmetry = (state: Float32Array, random: Random) => Float32Array;

/** What a member reports beside its update. */
export interface Report {
  /** n_i. */
  readonly samples: number;
  /** Loss of the received model on its shard, nats. */
  readonly loss: number;
}

/** One attack: what it does at each stage; stages left out stay honest. */
export interface Attack<C> {
  /** What `partial` knowledge is of: the honest updates, or the rule for attacks made against one. */
  readonly partial: "updates" | "rule";
  /** The shard an attacker trains on. */
  readonly poison?: (config: C, shard: Dataset, random: Random) => Dataset;
  /** One update per attacker, in the order of `own`. */
  readonly craft?: (config: C, input: CraftInput) => readonly Vector[] | Promise<readonly Vector[]>;
  readonly report?: (config: C, report: Report) => Report;
  /** Bytes that are sent as the payload in place of a coded update. */
  readonly payload?: (config: C, codec: CodecConfig, extent: PayloadExtent) => Uint8Array;
}
