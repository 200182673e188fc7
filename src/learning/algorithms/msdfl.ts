// SPDX-License-Identifier: Apache-2.0
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Mode, Model } from "../model.ts";
import type { ShardBatch } from "./batches.ts";
import { type GradientAt, gradientNorm } from "./differenceQuotient.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, runLocalLoop } from "./localLoop.ts";
import { probabilities, probabilityCotangent } from "./probabilities.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { modeOfSamples } from "./trainingMode.ts";
import { addScaled, difference, row } from "./vectors.ts";

/**
 * MSDFL (Doc2 Alg. 1; spec B9): a penalty on how strongly the probability of the true class moves with the parameters, J^α = ∇_θ p_{c*}(x^α).
 *
 * - `exact`: λ·(1/B)Σ‖J^α‖, three gradients per sample;
 * - `rademacher`: λ·‖Σ s_α J^α‖²/B with random signs, whose mean is (1/B)Σ‖J^α‖²: three gradients per batch, and another λ (λ_sq ≈ λ/(2‖J‖));
 * - `ref`: all signs +1 as the published code has it; biased by the samples' cross terms.
 *
 * @remarks The softmax is over classes; the published code's is over the batch.
 */
export function msdfl(config: ClientConfigOf<"msdfl">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  const hooks = config.weight > 0 ? msdflHooks(model, config) : undefined;
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, hooks));
      return { delta: difference(parameters, start), trainLoss, local: task.local };
    },
  };
}

/** The penalty as a hook of the local loop. */
export function msdflHooks(model: Model, { form, weight, epsilon }: ClientConfigOf<"msdfl">): LocalHooks {
  return {
    gradient: async ({ parameters, batch, mode, random }) => {
      const { loss, gradient } = await model.valueAndGradient(parameters, batch, {}, mode);
      const signs =
        form === "rademacher"
          ? Float32Array.from({ length: batch.size }, () => (random.nextUint32() < 2_147_483_648 ? -1 : 1))
          : new Float32Array(batch.size).fill(1);
      const term =
        form === "exact"
          ? await exactTerm(model, parameters, batch, mode, epsilon)
          : await squaredTerm(model, parameters, batch, signs, mode, epsilon);
      addScaled(gradient, weight, term.gradient);
      return { loss, gradient };
    },
  };
}

export interface PenaltyTerm {
  readonly value: number;
  readonly gradient: Float32Array;
}

/** (1/B)Σ_α‖J^α‖ and its gradient; samples whose J is shorter than 1e-12 are skipped. */
export async function exactTerm(
  model: Model,
  parameters: Float32Array,
  batch: ShardBatch,
  mode: Mode,
  epsilon: number,
): Promise<PenaltyTerm> {
  const { inputs } = model.config;
  const gradient = new Float32Array(parameters.length);
  let value = 0;
  for (let b = 0; b < batch.size; b++) {
    const sample: ShardBatch = {
      features: row(batch.features, b, inputs),
      labels: batch.labels.subarray(b, b + 1),
      size: 1,
      indices: [batch.indices[b] as number],
    };
    const own = modeOfSamples(mode, b, b + 1, batch.size);
    const at = probabilityGradient(model, sample, Float32Array.of(1), own);
    const one = await gradientNorm(at, parameters, epsilon);
    value += one.length / batch.size;
    addScaled(gradient, 1 / batch.size, one.gradient);
  }
  return { value, gradient };
}

/** ‖Σ_α s_α J^α‖²/B and its gradient. */
export async function squaredTerm(
  model: Model,
  parameters: Float32Array,
  batch: ShardBatch,
  signs: Float32Array,
  mode: Mode,
  epsilon: number,
): Promise<PenaltyTerm> {
  const at = probabilityGradient(model, batch, signs, mode);
  const { length, gradient } = await gradientNorm(at, parameters, epsilon);
  const factor = 1 / batch.size;
  return { value: factor * length * length, gradient: gradient.map((value) => 2 * factor * length * value) };
}

/** ∇_θ Σ_α s_α·p_{c*}(θ, x^α): the cotangents of the logits follow from a forward pass at the same point. */
function probabilityGradient(model: Model, batch: ShardBatch, signs: Float32Array, mode: Mode): GradientAt {
  const { features, size, labels } = batch;
  const { classes } = model.config;
  return async (point) => {
    const { logits } = await model.forward(point, { features, size }, mode);
    const cotangent = new Float32Array(logits.length);
    for (let b = 0; b < size; b++) {
      const p = probabilities(row(logits, b, classes));
      probabilityCotangent(p, labels[b] as number, signs[b] as number, row(cotangent, b, classes));
    }
    const request = { cotangents: { logits: cotangent } };
    return (await model.valueAndGradient(point, { features, size }, request, mode)).gradient;
  };
}
