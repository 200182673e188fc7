// SPDX-License-Identifier: Apache-2.0
import { discreteGaussian } from "./discreteGaussian.ts";
import type { SecretWords } from "./secretStream.ts";

/** The grid of reported losses: 2^-16 nats. */
const LOSS_UNITS = 65_536;
const MAX_LOSS = 4_294_967_295;

/** How a reported loss is protected. */
export interface LossNoise {
  /** B, nats: a loss is reported as at most this, so that a neighbour moves it by at most B. */
  readonly clip: number;
  /** z = σ/B. */
  readonly noiseMultiplier: number;
}

/**
 * A loss as a private run may report it: clipped to [0, B], noise σ = zB, and back to [0, B]. It reads the data like the update does and is a
 * release of its own in the ledger.
 *
 * @param loss nats; NaN and infinity count as B.
 * @returns units of 2^-16 nats, uint32.
 */
export function privateLoss(loss: number, { clip, noiseMultiplier }: LossNoise, words: SecretWords): number {
  const largest = Math.min(Math.floor(clip * LOSS_UNITS), MAX_LOSS);
  const exact = Number.isFinite(loss) ? Math.floor(Math.min(Math.max(loss * LOSS_UNITS, 0), largest)) : largest;
  const noise = discreteGaussian(noiseMultiplier * largest, words)();
  return Math.min(Math.max(exact + noise, 0), largest);
}
