// SPDX-License-Identifier: Apache-2.0
import type { LocalAlgorithm } from "../learning/algorithms/localAlgorithm.ts";
import { meanLoss } from "../learning/evaluate.ts";
import type { Model } from "../learning/model.ts";
import type { Dataset } from "../protocol/dataset.ts";
import { keyedRandom, type Random } from "../protocol/random.ts";
import type { ClientAlgorithm, TrainingTask } from "./clientAlgorithm.ts";

/** What a round's training draws from, beginning with the order of batches. */
export type TrainingStream = (run: bigint, round: number) => Random;

export interface LocalTrainingOptions {
  /** The recipe's client algorithm, on this model. */
  readonly algorithm: LocalAlgorithm;
  readonly model: Model;
  readonly shard: Dataset;
  /** Makes the order of batches this member's own and repeatable: a text that names the streams, or the streams themselves. */
  readonly seed: string | TrainingStream;
  /** What the machine can do, for algorithms with tiers (`LocalTask.resource`). */
  readonly resource?: number | undefined;
}

/** The run's client algorithm on the member's shard, and the loss of the model it received (spec B). */
export function localTraining({ algorithm, model, shard, seed, resource }: LocalTrainingOptions): ClientAlgorithm {
  // The state goes on after the model with what algorithms send beside it.
  const receivedLoss = ({ state }: TrainingTask): Promise<number> =>
    meanLoss(model, state.subarray(0, model.parameterCount), shard);
  const stream: TrainingStream =
    typeof seed === "string" ? (run, round) => keyedRandom(seed, "training", run, round) : seed;
  return {
    async train(task, signal) {
      const { run, round, state, local, participation } = task;
      const loss = await receivedLoss(task);
      const outcome = await algorithm.train({
        round,
        state,
        shard,
        random: stream(run, round),
        local,
        participation,
        signal,
        ...(resource === undefined ? {} : { resource }),
      });
      const { delta, silent, local: next } = outcome;
      return {
        delta,
        samples: shard.size,
        receivedLoss: loss,
        local: next,
        ...(silent === undefined ? {} : { silent }),
      };
    },
    evaluate: async (task) => ({ samples: shard.size, receivedLoss: await receivedLoss(task) }),
  };
}
