// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { discreteGaussian } from "./discreteGaussian.ts";
import type { SecretWords } from "./secretStream.ts";

/** Grid of DP-SGD's gradients: C·2^-20, fine enough that rounding is nothing beside the noise. */
const GRID_STEPS = 1_048_576;
/** 2^32 */
const WORDS = 4_294_967_296;

/** q = B/n: each sample is in a batch with this probability. @throws ConfigError when batches would be larger than the data. */
export function recordSampling({
  samples,
  batchSize,
}: {
  readonly samples: number;
  readonly batchSize: number;
}): number {
  if (batchSize > samples)
    throw new ConfigError(`Batches of ${batchSize} cannot be drawn from ${samples} samples; use a smaller batch.`);
  return batchSize / samples;
}

/**
 * A batch as the accountant assumes it (Poisson): every sample by itself with probability q, so that sizes vary and may be 0. Secret: the
 * amplification holds against those who do not know the batch.
 *
 * @returns ascending indices.
 */
export function poissonBatch(samples: number, samplingRate: number, words: SecretWords): number[] {
  const limit = Math.floor(samplingRate * WORDS);
  const batch: number[] = [];
  for (let i = 0; i < samples; i++) if (words.nextUint32() < limit) batch.push(i);
  return batch;
}

/** A sum of clipped gradients. */
export interface ClippedSum {
  /** Multiples of C·2^-20, in that unit. */
  readonly sum: Float64Array;
  /** ‖g_i‖ before the clip, in the batch's order. */
  readonly norms: Float64Array;
}

/**
 * Σ g_i·min(1, C/‖g_i‖), for engines without a fused form of it: one call per sample. Each summand is rounded toward zero on a grid, so that none is
 * longer than C and the sum is exact. A gradient that is not finite counts as zero; its norm tells.
 *
 * @param gradientOf the gradient of the loss at one sample, by its index; it may be reused by the next call.
 * @param size d.
 */
export async function clippedGradientSum(
  batch: readonly number[],
  gradientOf: (sample: number) => Promise<Float32Array>,
  size: number,
  clipNorm: number,
): Promise<ClippedSum> {
  const sum = new Float64Array(size);
  const norms = new Float64Array(batch.length);
  for (const [i, sample] of batch.entries()) {
    const gradient = await gradientOf(sample);
    let sumOfSquares = 0;
    for (const value of gradient) sumOfSquares += value * value;
    const norm = Math.sqrt(sumOfSquares);
    norms[i] = norm;
    if (!Number.isFinite(norm)) continue;
    // A last bit short of C, so that float64 does not put it above.
    const factor = (Math.min(1, clipNorm / norm) * GRID_STEPS * (1 - 2 ** -40)) / clipNorm;
    if (norm > 0)
      for (let j = 0; j < size; j++) sum[j] = (sum[j] as number) + Math.trunc((gradient[j] as number) * factor);
  }
  return { sum, norms };
}

/**
 * The gradient that DP-SGD steps along: (Σ clipped + N(0, (zC)²I))/B, with the expected batch size B and discrete noise.
 *
 * @param batchSize B = qn, whatever the batch's own size: that would tell of a sample's presence.
 * Source: Abadi et al. 2016, algorithm 1.
 */
export function noisyGradient(
  { sum }: ClippedSum,
  parameters: { readonly clipNorm: number; readonly noiseMultiplier: number; readonly batchSize: number },
  words: SecretWords,
): Float32Array {
  const { clipNorm, noiseMultiplier, batchSize } = parameters;
  const draw = discreteGaussian(noiseMultiplier * GRID_STEPS, words);
  const unit = clipNorm / GRID_STEPS / batchSize;
  return Float32Array.from(sum, (value) => (value + draw()) * unit);
}
