// SPDX-License-Identifier: Apache-2.0
import { mean, sumOfSquaredDeviations } from "../statistics/moments.ts";

/** How evenly a model serves the clients. */
export interface FairnessSpread {
  readonly mean: number;
  /** Over all clients, which are the population: divided by K. */
  readonly variance: number;
  readonly standardDeviation: number;
  /** Mean of the ⌈.05K⌉ lowest and of the ⌈.05K⌉ highest. */
  readonly worst: number;
  readonly best: number;
  /** max − min. */
  readonly range: number;
  readonly jain: number;
}

/**
 * Jain's index (Σx)²/(KΣx²), from 1/K (one client has all) to 1 (all alike); all zero is 1. It barely moves while the mean is high, so report
 * the standard deviation beside it.
 */
export function jainIndex(values: ArrayLike<number>): number {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] as number;
    squares += (values[i] as number) * (values[i] as number);
  }
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}

/** The spread of one value per client, usually its local test accuracy. @throws RangeError for no clients. */
export function fairnessSpread(values: ArrayLike<number>): FairnessSpread {
  const ordered = Float64Array.from(values).sort();
  const tail = Math.ceil(0.05 * ordered.length);
  const variance = sumOfSquaredDeviations(ordered) / ordered.length;
  return {
    mean: mean(ordered),
    variance,
    standardDeviation: Math.sqrt(variance),
    worst: mean(ordered.subarray(0, tail)),
    best: mean(ordered.subarray(ordered.length - tail)),
    range: (ordered.at(-1) as number) - (ordered[0] as number),
    jain: jainIndex(ordered),
  };
}
