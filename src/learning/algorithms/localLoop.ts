// SPDX-License-Identifier: Apache-2.0

/** The loop that every client algorithm shares: keyed batches, an optimiser that starts anew, and the places where algorithms differ. */

import type { Dataset } from "../../protocol/dataset.ts";
import type { Random } from "../../protocol/random.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import { LearningError } from "../errors.ts";
import type { Mode, Model, OptimiserState } from "../model.ts";
import { adagrad } from "../optimisers/adagrad.ts";
import { adam } from "../optimisers/adam.ts";
import type { GradientStep } from "../optimisers/gradientStep.ts";
import { heavyBall } from "../optimisers/heavyBall.ts";
import { sm3 } from "../optimisers/sm3.ts";
import { checkLength } from "../targets.ts";
import { batchesOf, extentOf, type ShardBatch } from "./batches.ts";
import { trainingModes } from "./trainingMode.ts";
import { addScaled } from "./vectors.ts";

/** Where a step stands. Arrays are the loop's: not changed and not kept, unless a hook says otherwise. */
export interface StepPoint {
  /** 0, 1, … */
  readonly step: number;
  readonly parameters: Float32Array;
  readonly batch: ShardBatch;
  /** With the step's masks: passes of one step share them. */
  readonly mode: Mode;
  /** Names the step; only streams derived from it are used. */
  readonly random: Random;
}

export interface LossAndGradient {
  /** Of the batch before the step, in nats. */
  readonly loss: number;
  /** The loop's afterwards. */
  readonly gradient: Float32Array;
}

/** What an algorithm does differently. Nothing set is plain local training, on the engine's fused step where it has one. */
export interface LocalHooks {
  /** In place of the gradient of the batch's mean cross-entropy. */
  readonly gradient?: (point: StepPoint) => Promise<LossAndGradient>;
  /** Changes the gradient, e.g. by a proximal term. */
  readonly correct?: (gradient: Float32Array, parameters: Float32Array) => void;
  /** Sees the parameters after each step (`step` counts from 0), to keep a copy; `endsPass` when as many samples as the shard has were seen. */
  readonly afterStep?: (parameters: Float32Array, step: number, endsPass: boolean) => void | Promise<void>;
}

export interface LocalRun {
  readonly model: Model;
  readonly plan: TrainingPlan;
  readonly start: Float32Array;
  readonly shard: Dataset;
  /** Names the run, round and member; only streams derived from it are used. */
  readonly random: Random;
  /** Looked at before every step; training then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Most steps that are taken: a slow member's partial work. */
  readonly maxSteps?: number | undefined;
  /** What the heavy ball's velocity starts from; zero if left out. */
  readonly velocity?: Float32Array | undefined;
  readonly hooks?: LocalHooks;
}

export interface LocalResult {
  /** After the last step; a new array. */
  readonly parameters: Float32Array;
  /** Mean over the steps of each batch's loss before its step, in nats. */
  readonly trainLoss: number;
  readonly steps: number;
  /** Of the heavy ball, after the last step; absent with other optimisers. */
  readonly velocity?: Float32Array;
}

type Step = (point: StepPoint) => Promise<{ readonly parameters: Float32Array; readonly loss: number }>;

/**
 * Gradient descent on a shard from the given parameters, with the plan's optimiser, which starts anew every round, so that nothing but the
 * model travels. Heavy-ball momentum is v ← β·v + g, w ← w − η·v; weight decay is added to g. Same arguments: same result.
 *
 * @throws LearningError DIVERGED when the loss or a parameter is no longer finite, WRONG_SHAPE for an empty shard.
 */
export async function runLocalLoop(run: LocalRun): Promise<LocalResult> {
  const { model, plan, shard, random, hooks = {} } = run;
  checkLength("The global model", run.start, model.parameterCount);
  requireSamples(shard);
  const { steps: planned, perPass } = extentOf(plan, shard.size);
  const steps = Math.min(planned, run.maxSteps ?? planned);
  if (steps < 1)
    throw new LearningError("UNSUPPORTED", `A member with time for ${steps} steps has nothing to send.`, { steps });
  const { take, velocity } = stepOf(run);
  const batches = batchesOf(shard, plan, random);
  const modes = trainingModes(model, random);
  let parameters = run.start;
  let lossSum = 0;
  for (let step = 0; step < steps; step++) {
    run.signal?.throwIfAborted();
    const batch = batches.next().value;
    const point: StepPoint = {
      step,
      parameters,
      batch,
      mode: modes(step, batch.size),
      // Most algorithms draw nothing: the stream is named when it is asked for.
      get random() {
        return random.derive("step", step);
      },
    };
    const { loss, parameters: next } = await take(point);
    if (!Number.isFinite(loss)) {
      throw new LearningError(
        "DIVERGED",
        `Training diverged: the loss is ${loss} at step ${step + 1} of ${steps}. Lower the learning rate of ${plan.learningRate}.`,
        { step, loss },
      );
    }
    lossSum += loss;
    parameters = next;
    await hooks.afterStep?.(parameters, step, (step + 1) % perPass === 0);
  }
  requireFinite(parameters, plan);
  return { parameters: parameters.slice(), trainLoss: lossSum / steps, steps, ...velocity() };
}

/** @throws LearningError DIVERGED */
export function requireFinite(values: Float32Array, plan: TrainingPlan): void {
  // A product with 0 is NaN exactly for NaN and infinities: a sum is cheaper than asking each value.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += 0 * (values[i] as number);
  if (sum === 0) return;
  throw new LearningError(
    "DIVERGED",
    `Training diverged: the last step left a value that is not finite. Lower the learning rate of ${plan.learningRate}.`,
    {},
  );
}

/** @throws LearningError WRONG_SHAPE */
export function requireSamples(shard: Dataset): void {
  if (shard.size > 0) return;
  throw new LearningError("WRONG_SHAPE", "The shard has no samples; a member trains on at least one.", {
    size: shard.size,
  });
}

/** The plan's optimiser at the start of a round. */
function stepOf({ model, plan, hooks = {}, velocity: carried }: LocalRun): {
  take: Step;
  velocity(): { velocity?: Float32Array };
} {
  const weightDecay = plan.weightDecay ?? 0;
  const gradientAt = async (point: StepPoint): Promise<LossAndGradient> => {
    const found =
      hooks.gradient === undefined
        ? await model.valueAndGradient(point.parameters, point.batch, {}, point.mode)
        : await hooks.gradient(point);
    hooks.correct?.(found.gradient, point.parameters);
    if (weightDecay > 0) addScaled(found.gradient, weightDecay, point.parameters);
    return found;
  };
  const adaptive = adaptiveStep(plan, model);
  if (adaptive !== undefined) {
    return {
      take: async (point) => {
        const { loss, gradient } = await gradientAt(point);
        return { parameters: adaptive(point.parameters, gradient), loss };
      },
      velocity: () => ({}),
    };
  }
  const options = { learningRate: plan.learningRate, momentum: momentumOf(plan) ?? 0 };
  let velocity = carried ?? new Float32Array(model.parameterCount);
  const plain = hooks.gradient === undefined && hooks.correct === undefined && weightDecay === 0;
  const fused = plain ? model.step?.bind(model) : undefined;
  const advance = async (point: StepPoint): Promise<OptimiserState & { loss: number }> => {
    const before = { parameters: point.parameters, velocity };
    if (fused !== undefined) return fused(before, point.batch, options, point.mode);
    const { loss, gradient } = await gradientAt(point);
    return { ...heavyBall(before, gradient, options), loss };
  };
  return {
    take: async (point) => {
      const next = await advance(point);
      velocity = next.velocity;
      return next;
    },
    velocity: () => ({ velocity }),
  };
}

/** β of plain gradient descent with momentum; undefined for adaptive optimisers. */
export function momentumOf(plan: TrainingPlan): number | undefined {
  return plan.optimiser === undefined || plan.optimiser === "sgd-momentum" ? plan.momentum : undefined;
}

function adaptiveStep(plan: TrainingPlan, model: Model): GradientStep | undefined {
  switch (plan.optimiser) {
    case "adagrad":
      return adagrad(plan, model.parameterCount);
    case "sm3":
      return sm3(plan, model.layout);
    case "adam":
      return adam(plan, model.parameterCount);
    default:
      return undefined;
  }
}
