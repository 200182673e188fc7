// SPDX-License-Identifier: Apache-2.0
import type { AdaptiveOptions, GradientStep } from "./gradientStep.ts";

/**
 * AdaGrad (Duchi et al. 2011), each coordinate by itself: ν ← ν + g², w ← w − η·g / (√ν + ε).
 *
 * @param size d; as many sums of squares are kept.
 */
export function adagrad({ learningRate, epsilon, initialAccumulator }: AdaptiveOptions, size: number): GradientStep {
  const sums = new Float64Array(size).fill(initialAccumulator);
  return (parameters, gradient) =>
    parameters.map((w, j) => {
      const g = gradient[j] as number;
      const sum = (sums[j] as number) + g * g;
      sums[j] = sum;
      return w - (learningRate * g) / (Math.sqrt(sum) + epsilon);
    });
}
