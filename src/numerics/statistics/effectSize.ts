// SPDX-License-Identifier: Apache-2.0
import { mean, sampleVariance } from "./moments.ts";
import { pairedMoments } from "./pairedT.ts";
import { beyondRounding, largestOf, roundingOf } from "./rounding.ts";

/** Cohen's d of two samples: (x̄ − ȳ)/√((s_x² + s_y²)/2). Infinite for two different constants, NaN for two equal ones. */
export function cohenD(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const rounding = roundingOf(x.length + y.length, Math.max(largestOf(x), largestOf(y)));
  return beyondRounding(mean(x) - mean(y), rounding) / Math.sqrt((sampleVariance(x) + sampleVariance(y)) / 2);
}

/** Cohen's d of small samples without its upward bias: d·(1 − 3/(4N − 9)), N values in all. */
export function hedgesG(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return cohenD(x, y) * (1 - 3 / (4 * (x.length + y.length) - 9));
}

/** Cohen's d_z of paired samples: d̄/s_d, in standard deviations of the difference, not of the measurement. Infinite or NaN where no difference differs. */
export function cohenDz(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const { difference, variance } = pairedMoments(x, y);
  return difference / Math.sqrt(variance);
}
