// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../../protocol/errors.ts";
import type { ClientConfigOf } from "../../protocol/recipe/clientConfig.ts";
import type { TrainingPlan } from "../../protocol/recipe/trainingConfig.ts";
import type { Model } from "../model.ts";
import { extentOf } from "./batches.ts";
import type { LocalAlgorithm } from "./localAlgorithm.ts";
import { type LocalHooks, requireFinite, runLocalLoop } from "./localLoop.ts";
import { loopOf, receivedState } from "./taskState.ts";
import { addScaled, difference } from "./vectors.ts";

/**
 * FedPA (Al-Shedivat et al. 2021; spec B16): after a burn-in, averages of the iterates over ℓ windows of equal length stand for samples of the
 * local posterior, and the update is Σ̂⁻¹(x̄ − w^t) with their shrunk covariance. Steps left over at the end belong to the last window. The first
 * `burnInRounds` rounds are FedAvg.
 */
export function fedPa(config: ClientConfigOf<"fedpa">, plan: TrainingPlan, model: Model): LocalAlgorithm {
  return {
    auxiliary: [],
    async train(task) {
      const { parameters: start } = receivedState(task, model);
      if (task.round <= config.burnInRounds) {
        const { parameters, trainLoss } = await runLocalLoop(loopOf(task, model, plan, start));
        return { delta: difference(parameters, start), trainLoss, local: task.local };
      }
      const planned = extentOf(plan, task.shard.size).steps;
      const steps = Math.min(planned, task.maxSteps ?? planned);
      const burnIn = Math.floor(config.burnIn * steps);
      const window = Math.floor((steps - burnIn) / config.samples);
      if (window < 1)
        throw new ConfigError(
          `FedPA takes ${config.samples} samples after ${burnIn} of ${steps} steps: too few. Plan more steps, fewer samples or a shorter burn-in.`,
          { steps, burnIn, samples: config.samples },
        );
      const sums = Array.from({ length: config.samples }, () => new Float64Array(model.parameterCount));
      const counts = sums.map(() => 0);
      const afterStep: LocalHooks["afterStep"] = (parameters, step) => {
        if (step < burnIn) return;
        const place = Math.min(config.samples - 1, Math.floor((step - burnIn) / window));
        addScaled(sums[place] as Float64Array, 1, parameters);
        counts[place] = (counts[place] as number) + 1;
      };
      const { trainLoss } = await runLocalLoop(loopOf(task, model, plan, start, { afterStep }));
      const samples = sums.map((sum, s) => sum.map((value) => value / (counts[s] as number)));
      const delta = posteriorDelta(samples, start, config.shrinkage);
      requireFinite(delta, plan);
      return { delta, trainLoss, local: task.local };
    },
  };
}

/**
 * Σ̂⁻¹(x̄ − w) with Σ̂ = ρ_ℓ·I + (1−ρ_ℓ)·S, S the samples' covariance (over ℓ−1) and ρ_ℓ = 1/(1 + (ℓ−1)ρ), by Woodbury in O(ℓ²d):
 * Σ̂⁻¹v = (v − Xᵀ(κI + XXᵀ)⁻¹Xv)/ρ_ℓ with the centred samples X and κ = ρ_ℓ(ℓ−1)/(1−ρ_ℓ). One sample: x − w.
 */
export function posteriorDelta(
  samples: readonly Float64Array[],
  w: ArrayLike<number>,
  shrinkage: number,
): Float32Array {
  const count = samples.length;
  const mean = new Float64Array(w.length);
  for (const sample of samples) addScaled(mean, 1 / count, sample);
  const direction = mean.map((value, i) => value - (w[i] as number));
  if (count === 1) return Float32Array.from(direction, (value) => value + 0);
  const rho = 1 / (1 + (count - 1) * shrinkage);
  const kappa = (rho * (count - 1)) / (1 - rho);
  const centred = samples.map((sample) => sample.map((value, i) => value - (mean[i] as number)));
  const gram = centred.map((a, i) => centred.map((b, j) => dot(a, b) + (i === j ? kappa : 0)));
  const solution = solveSymmetric(
    gram,
    centred.map((sample) => dot(sample, direction)),
  );
  for (const [s, sample] of centred.entries()) addScaled(direction, -(solution[s] as number), sample);
  return Float32Array.from(direction, (value) => value / rho + 0);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** Cholesky; the matrix is positive definite, being a Gram matrix and a positive multiple of I. */
function solveSymmetric(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const lower = matrix.map((values) => [...values]);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (matrix[i] as readonly number[])[j] as number;
      for (let k = 0; k < j; k++) sum -= at(lower, i, k) * at(lower, j, k);
      (lower[i] as number[])[j] = i === j ? Math.sqrt(sum) : sum / at(lower, j, j);
    }
  }
  const x = [...right];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] as number) - at(lower, i, k) * (x[k] as number);
    x[i] = (x[i] as number) / at(lower, i, i);
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] = (x[i] as number) - at(lower, k, i) * (x[k] as number);
    x[i] = (x[i] as number) / at(lower, i, i);
  }
  return x;
}

function at(matrix: readonly (readonly number[])[], i: number, j: number): number {
  return (matrix[i] as readonly number[])[j] as number;
}
