// SPDX-License-Identifier: Apache-2.0
import type { Dataset } from "../protocol/dataset.ts";
import type { Random } from "../protocol/random.ts";
import type { TrainingPlan } from "../protocol/recipe/trainingConfig.ts";
import { LearningError } from "./errors.ts";
import { type Batch, type Model, type OptimiserState, type StepOptions, type StepResult, TRAINING } from "./model.ts";
import { adagrad } from "./optimisers/adagrad.ts";
import { sm3 } from "./optimisers/sm3.ts";
import { checkLength } from "./targets.ts";

export interface LocalTrainingResult {
  /** The member's local parameters after the last step; a new array. */
  readonly parameters: Float32Array;
  /** Mean over the steps of each batch's loss before its step, in nats. */
  readonly trainLoss: number;
}

/** One step on one batch; what the optimiser remembers between steps is its own. */
type LocalStep = (
  parameters: Float32Array,
  batch: Batch,
) => Promise<{ readonly parameters: Float32Array; readonly loss: number }>;

/**
 * Stochastic gradient descent from the global model: `localSteps` steps of `batchSize` samples with the plan's optimiser, which starts anew
 * every round, so that nothing but the model travels. Heavy-ball momentum is, with g_k the gradient of the k-th batch's mean loss,
 *
 *     v ← β·v + g_k     w ← w − η·v     v = 0 at first;
 *
 * AdaGrad and SM3 (the clients of FedAda² and FedAda²++, spec E17) are in `optimisers/`.
 *
 * Batches walk through the shard in keyed random orders, one order per pass, every sample once per pass; a batch may span
 * two passes, so all have the same size. Same model, engine, shard, plan and stream: same result.
 *
 * @param random names the run, round and member; only streams derived from it are used.
 * @param signal looked at before every step; training then rejects with its reason.
 * @throws LearningError DIVERGED when the loss or a parameter is no longer finite.
 */
export async function trainLocally(
  model: Model,
  globalParameters: Float32Array,
  shard: Dataset,
  plan: TrainingPlan,
  random: Random,
  signal?: AbortSignal,
): Promise<LocalTrainingResult> {
  checkLength("The global model", globalParameters, model.parameterCount);
  if (shard.size < 1)
    throw new LearningError("WRONG_SHAPE", "The shard has no samples; a member trains on at least one.", {
      size: shard.size,
    });
  const step = localStep(model, plan);
  let parameters = globalParameters;
  let lossSum = 0;
  const indices = shuffledPasses(shard.size, random);
  for (let k = 0; k < plan.localSteps; k++) {
    signal?.throwIfAborted();
    const { loss, parameters: next } = await step(parameters, gather(shard, plan.batchSize, indices));
    if (!Number.isFinite(loss)) {
      throw new LearningError(
        "DIVERGED",
        `Training diverged: the loss is ${loss} at step ${k + 1} of ${plan.localSteps}. Lower the learning rate of ${plan.learningRate}.`,
        { step: k, loss },
      );
    }
    lossSum += loss;
    parameters = next;
  }
  if (!parameters.every(Number.isFinite)) {
    throw new LearningError(
      "DIVERGED",
      `Training diverged: the last of ${plan.localSteps} steps left a parameter that is not finite. Lower the learning rate of ${plan.learningRate}.`,
      {},
    );
  }
  return { parameters: parameters.slice(), trainLoss: lossSum / plan.localSteps };
}

/** The plan's optimiser at the start of a round. */
function localStep(model: Model, plan: TrainingPlan): LocalStep {
  if ("epsilon" in plan) {
    const step = plan.optimiser === "adagrad" ? adagrad(plan, model.parameterCount) : sm3(plan, model.layout);
    return async (parameters, batch) => {
      const { loss, gradient } = await model.valueAndGradient(parameters, batch, {}, TRAINING);
      return { parameters: step(parameters, gradient), loss };
    };
  }
  const step = model.step?.bind(model) ?? composedStep(model);
  let velocity: Float32Array = new Float32Array(model.parameterCount);
  return async (parameters, batch) => {
    const next = await step({ parameters, velocity }, batch, plan, TRAINING);
    velocity = next.velocity;
    return next;
  };
}

/** `Model.step` from `valueAndGradient` and float32 arithmetic, for engines without a fused step. */
export function composedStep(model: Model): NonNullable<Model["step"]> {
  return async (state: OptimiserState, batch: Batch, options: StepOptions, mode): Promise<StepResult> => {
    const { loss, gradient } = await model.valueAndGradient(state.parameters, batch, {}, mode);
    const momentum = Math.fround(options.momentum);
    const learningRate = Math.fround(options.learningRate);
    const parameters = new Float32Array(gradient.length);
    const velocity = new Float32Array(gradient.length);
    for (let i = 0; i < gradient.length; i++) {
      // Products and sums of two float32 are exact or innocuously rounded in float64, so one fround is the float32 result.
      const v = Math.fround(Math.fround(momentum * (state.velocity[i] as number)) + (gradient[i] as number));
      velocity[i] = v;
      parameters[i] = (state.parameters[i] as number) - Math.fround(learningRate * v);
    }
    return { parameters, velocity, loss };
  };
}

/** Sample indices without end: pass after pass, each in its own keyed order. */
function* shuffledPasses(size: number, random: Random): Generator<number, never> {
  for (let pass = 0; ; pass++) yield* random.derive("batches", pass).permutation(size);
}

function gather(shard: Dataset, size: number, indices: Generator<number, never>): Batch {
  const features = new Float32Array(size * shard.inputs);
  const labels = new Int32Array(size);
  for (let b = 0; b < size; b++) {
    const index = indices.next().value;
    features.set(shard.features.subarray(index * shard.inputs, (index + 1) * shard.inputs), b * shard.inputs);
    labels[b] = shard.labels[index] as number;
  }
  return { features, labels, size };
}
