// SPDX-License-Identifier: Apache-2.0
import { requireUint } from "./field.ts";

/** A loss and the number of samples it is a mean over. */
export interface WeightedLoss {
  /** uint32, the weight. */
  readonly samples: number;
  /** uint32, units of 2^-16 nats. */
  readonly loss: number;
}

/**
 * L = ⌈Σ nᵢ·ℓᵢ / Σ nᵢ⌉, the reported loss of a round, in units of 2^-16 nats (docs/protocol.md, "Result, seal, head").
 *
 * Rounded up, so that a criterion L ≤ bound speaks of the exact mean too. In integers: Σ n·ℓ reaches 2^69 for 32 members.
 *
 * @throws FieldRangeError for a value that is not a uint32; RangeError when there is no sample, for a mean over nothing has no value.
 */
export function reportedLoss(losses: readonly WeightedLoss[]): number {
  let lossSum = 0n;
  let sampleSum = 0n;
  for (const { samples, loss } of losses) {
    const weight = requireUint("samples", samples, 32);
    lossSum += weight * requireUint("loss", loss, 32);
    sampleSum += weight;
  }
  if (sampleSum === 0n)
    throw new RangeError(`The reported loss of ${losses.length} updates without samples is not defined.`);
  return Number((lossSum + sampleSum - 1n) / sampleSum);
}
