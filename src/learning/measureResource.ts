// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import type { TrainingPlan } from "../protocol/recipe/trainingConfig.ts";
import { extentOf } from "./algorithms/batches.ts";
import { runLocalLoop } from "./algorithms/localLoop.ts";
import { LearningError } from "./errors.ts";
import type { Model } from "./model.ts";

/** Batches of a calibration (spec B10.2); the first warms the engine up and is not timed. */
const BATCHES = 5;

export interface Calibration {
  readonly model: Model;
  readonly plan: TrainingPlan;
  readonly shard: Dataset;
  /** Where the steps start from; not changed. */
  readonly parameters: Float32Array;
  readonly random: Random;
  /** Seconds that a round gives its members to train. */
  readonly deadlineSeconds: number;
  /** A clock that only runs forward, in milliseconds. */
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
}

export interface MeasuredResource {
  /** r: how many times over the machine could do a round's steps before the deadline. */
  readonly resource: number;
  readonly stepsPerSecond: number;
  /** Steps that a round needs. */
  readonly steps: number;
}

/**
 * r of spec B10.2: steps per second of the plan's plain training on this engine and shard, over five batches, divided by the steps per second that a
 * round's deadline demands. What the steps find is thrown away.
 *
 * @throws LearningError as training does, and UNSUPPORTED when the clock stands still.
 */
export async function measureResource(calibration: Calibration): Promise<MeasuredResource> {
  const { model, plan, shard, parameters, random, deadlineSeconds, now, signal } = calibration;
  const { steps, perPass } = extentOf(plan, shard.size);
  const times: number[] = [];
  await runLocalLoop({
    model,
    // A round may have fewer steps than the calibration; its batches have the sizes of a round's either way.
    plan:
      plan.localSteps === undefined
        ? { ...plan, localEpochs: Math.ceil(BATCHES / Math.max(1, perPass)) }
        : { ...plan, localSteps: BATCHES },
    maxSteps: BATCHES,
    start: parameters,
    shard,
    random,
    signal,
    hooks: {
      afterStep: () => {
        times.push(now());
      },
    },
  });
  const seconds = ((times.at(-1) as number) - (times[0] as number)) / 1000;
  if (!(seconds > 0))
    throw new LearningError(
      "UNSUPPORTED",
      `${BATCHES - 1} steps took ${seconds} seconds by this clock; state a number as resource.`,
      {
        seconds,
      },
    );
  const stepsPerSecond = (BATCHES - 1) / seconds;
  return { resource: (stepsPerSecond * deadlineSeconds) / steps, stepsPerSecond, steps };
}
