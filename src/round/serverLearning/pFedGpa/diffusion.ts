// SPDX-License-Identifier: Apache-2.0
import { exp, log } from "../../../protocol/math.ts";
import type { Random } from "../../../protocol/random.ts";
import { adam } from "../adam.ts";
import { perceptron } from "../perceptron.ts";
import { cosineDecay, sineCosine } from "../trigonometry.ts";

/** ε_φ(c, t): the noise that a latent point at time t is thought to hold. */
export type NoiseEstimate = (point: Float64Array, time: number) => Float64Array;

/** T_d. */
export const DIFFUSION_STEPS = 200;

/** ᾱ_0 = 1, ᾱ_t = Π_{s ≤ t} (1 − β_s), β linear from 5e-4 to 0.1 (1e-4 … 0.02 for a thousand steps, scaled to 200). */
export const SIGNAL: Float64Array = (() => {
  const signal = new Float64Array(DIFFUSION_STEPS + 1);
  signal[0] = 1;
  for (let t = 1; t <= DIFFUSION_STEPS; t++)
    signal[t] = (signal[t - 1] as number) * (1 - (5e-4 + ((t - 1) / (DIFFUSION_STEPS - 1)) * (0.1 - 5e-4)));
  return signal;
})();

/**
 * Parameter inversion and denoising (Lai et al. 2025 with DDIM, Song et al. 2021): deterministic steps towards noise up to t* = ⌊κ·T_d⌋, and back
 * to 0. With κ = 0 nothing moves.
 *
 *     ĉ_0 = (c_t − √(1−ᾱ_t)·ε_φ(c_t, t)) / √ᾱ_t     c_s = √ᾱ_s·ĉ_0 + √(1−ᾱ_s)·ε_φ(c_t, t),  s = t ± 1
 */
export function invertAndDenoise(point: Float64Array, estimate: NoiseEstimate, kappa: number): Float64Array {
  const turn = Math.floor(kappa * DIFFUSION_STEPS);
  let c = point;
  for (let t = 0; t < turn; t++) c = ddimStep(c, estimate, t, t + 1);
  for (let t = turn; t > 0; t--) c = ddimStep(c, estimate, t, t - 1);
  return c;
}

function ddimStep(c: Float64Array, estimate: NoiseEstimate, from: number, to: number): Float64Array {
  const noise = estimate(c, from);
  const [now, next] = [SIGNAL[from] as number, SIGNAL[to] as number];
  return c.map((value, j) => {
    const clean = (value - Math.sqrt(1 - now) * (noise[j] as number)) / Math.sqrt(now);
    return Math.sqrt(next) * clean + Math.sqrt(1 - next) * (noise[j] as number);
  });
}

export interface DiffusionTraining {
  readonly steps: number;
  readonly batchSize: number;
  /** Of the first step; a cosine takes it to 0. */
  readonly learningRate: number;
  readonly hidden: number;
}

const EMBEDDING = 16;

/**
 * Trains ε_φ, a perceptron (r + 16 → hidden → hidden → r) over the point and a sinusoidal embedding of the time, to minimise
 * E‖ε − ε_φ(√ᾱ_t·c_0 + √(1−ᾱ_t)·ε, t)‖² (DDPM, Ho et al. 2020) by Adam.
 *
 * @param points latent points c_0, all of one length.
 * @returns the estimate, and its mean squared error per coordinate over the last quarter of the steps.
 */
export function trainDenoiser(
  points: readonly Float64Array[],
  { steps, batchSize, learningRate, hidden }: DiffusionTraining,
  random: Random,
): { readonly estimate: NoiseEstimate; readonly error: number } {
  const width = (points[0] as Float64Array).length;
  const net = perceptron([width + EMBEDDING, hidden, hidden, width]);
  const parameters = net.initialise(random.derive("denoiser"));
  const optimiser = adam(parameters.length);
  const stream = random.derive("diffusion");
  const input = new Float64Array(width + EMBEDDING);
  let [errors, counted] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const gradient = new Float64Array(parameters.length);
    for (let b = 0; b < batchSize; b++) {
      const clean = points[stream.integerBelow(points.length)] as Float64Array;
      const t = 1 + stream.integerBelow(DIFFUSION_STEPS);
      const [kept, added] = [Math.sqrt(SIGNAL[t] as number), Math.sqrt(1 - (SIGNAL[t] as number))];
      const noise = Float64Array.from({ length: width }, () => stream.normal());
      for (let j = 0; j < width; j++) input[j] = kept * (clean[j] as number) + added * (noise[j] as number);
      input.set(timeEmbedding(t), width);
      const pass = net.forward(parameters, input);
      const off = pass.output.map((value, j) => value - (noise[j] as number));
      if (step >= (3 * steps) / 4) {
        errors += off.reduce((sum, d) => sum + d * d, 0) / width;
        counted += 1;
      }
      net.backward(
        parameters,
        pass,
        off.map((d) => (2 * d) / (batchSize * width)),
        gradient,
      );
    }
    optimiser.step(parameters, gradient, learningRate * cosineDecay(step, steps));
  }
  return {
    estimate: (point, time) => net.forward(parameters, [...point, ...timeEmbedding(time)]).output,
    error: counted === 0 ? Number.NaN : errors / counted,
  };
}

/** Sines and cosines of t at eight frequencies from 1 to 1/10 000, geometrically spaced. */
function timeEmbedding(t: number): Float64Array {
  const half = EMBEDDING / 2;
  const embedding = new Float64Array(EMBEDDING);
  for (let i = 0; i < half; i++) {
    const [sine, cosine] = sineCosine(t * exp((-i / (half - 1)) * log(10_000)));
    embedding[i] = sine;
    embedding[half + i] = cosine;
  }
  return embedding;
}
