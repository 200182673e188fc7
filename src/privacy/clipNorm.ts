// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../protocol/errors.ts";
import { powerOfTwo } from "../protocol/grid.ts";
import type { ModelLayout } from "../protocol/layout.ts";
import { discreteGaussian } from "./discreteGaussian.ts";
import type { SecretWords } from "./secretStream.ts";

/**
 * Δ·min(1, C/‖Δ‖₂), in place. A zero vector stays as it is; a vector with NaN or infinity becomes zero, since nothing is known of its length.
 *
 * @param values grid units of each tensor (2^-F).
 * @param clipNorm C, model units.
 * @returns the factor; 0 for a vector that is not finite, which a caller reports.
 */
export function clipToNorm(values: Float64Array, layout: ModelLayout, clipNorm: number): number {
  requireNorm(clipNorm);
  return scaleTo(values, layout.tensors, clipNorm);
}

/** The same for each tensor with C/√L, L the number of tensors: together they keep to C. @returns the smallest factor. */
export function clipPerTensor(values: Float64Array, layout: ModelLayout, clipNorm: number): number {
  requireNorm(clipNorm);
  const norm = clipNorm / Math.sqrt(layout.tensors.length);
  return layout.tensors.reduce((smallest, tensor) => Math.min(smallest, scaleTo(values, [tensor], norm)), 1);
}

/** What adaptive clipping is steered by. */
export interface AdaptiveClip {
  /** q*, the fraction of clients that should be within the norm. */
  readonly quantile: number;
  /** η_C. */
  readonly rate: number;
}

/**
 * The next round's C: C·exp(−η_C(b̄ − q*)).
 *
 * @param withinNorm b̄, the *noisy* fraction of clients with ‖Δ‖ ≤ C; without noise it would tell of a client what no budget knows.
 * Source: Andrew, Thakkar, McMahan & Ramaswamy 2021, algorithm 1.
 */
export function adaptedClipNorm(clipNorm: number, withinNorm: number, { quantile, rate }: AdaptiveClip): number {
  requireNorm(clipNorm);
  return clipNorm * Math.exp(-rate * (withinNorm - quantile));
}

/** A round's count of updates within the norm. */
export interface NormCount {
  /** Clients with ‖Δ‖ ≤ C. */
  readonly within: number;
  /** Clients that took part. */
  readonly participants: number;
  /** qN or K, whatever came: the number that came would tell of a client's presence. */
  readonly expected: number;
}

/**
 * b̄: the fraction of clients within the norm, with the server's noise σ_b on the count Σ(b_i − ½), which one client moves by ½. Not held to [0, 1],
 * which would bias the steering.
 */
export function noisyFraction(
  { within, participants, expected }: NormCount,
  countNoise: number,
  words: SecretWords,
): number {
  // Twice the count: an integer, as the noise is.
  return (2 * within - participants + discreteGaussian(2 * countNoise, words)()) / (2 * expected) + 0.5;
}

/**
 * The noise multiplier that is left for the updates when the count behind b̄ takes its part: (z^-2 − (2σ_b)^-2)^(-1/2), so that the release of both
 * costs what z alone would.
 *
 * @param countNoise σ_b, standard deviation of the noise on the count of clients within the norm.
 * @throws ConfigError when the count alone would cost more than z allows: 2σ_b ≤ z.
 * Source: Andrew et al. 2021, theorem 1.
 */
export function multiplierBesideCount(noiseMultiplier: number, countNoise: number): number {
  const rest = 1 / (noiseMultiplier * noiseMultiplier) - 1 / (4 * countNoise * countNoise);
  if (!(rest > 0)) {
    throw new ConfigError(
      `Noise of ${countNoise} on the count leaves nothing of a noise multiplier of ${noiseMultiplier}; the count needs more than ${noiseMultiplier / 2}.`,
      { noiseMultiplier, countNoise },
    );
  }
  return 1 / Math.sqrt(rest);
}

function scaleTo(values: Float64Array, tensors: ModelLayout["tensors"], norm: number): number {
  let sumOfSquares = 0;
  for (const { offset, size, fractionBits } of tensors) {
    const unit = powerOfTwo(-fractionBits);
    for (let j = offset; j < offset + size; j++) {
      const value = (values[j] as number) * unit;
      sumOfSquares += value * value;
    }
  }
  const finite = sumOfSquares < Number.POSITIVE_INFINITY;
  const factor = finite ? Math.min(1, norm / Math.sqrt(sumOfSquares)) : 0;
  if (factor === 1) return 1;
  for (const { offset, size } of tensors) {
    if (!finite) values.fill(0, offset, offset + size);
    else for (let j = offset; j < offset + size; j++) values[j] = (values[j] as number) * factor;
  }
  return factor;
}

function requireNorm(clipNorm: number): void {
  if (!(clipNorm > 0 && clipNorm < Number.POSITIVE_INFINITY))
    throw new ConfigError(`A clip norm of ${clipNorm} is not positive and finite.`, { clipNorm });
}
