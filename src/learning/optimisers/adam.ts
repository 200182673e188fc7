// SPDX-License-Identifier: Apache-2.0
import type { GradientStep } from "./gradientStep.ts";

export interface AdamOptions {
  /** η. */
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  /** ε, above 0. */
  readonly epsilon: number;
}

/**
 * Adam (Kingma & Ba 2015) with its bias corrections: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
 * w ← w − η·(m/(1−β₁^t)) / (√(v/(1−β₂^t)) + ε).
 *
 * @param size d; two moments per coordinate are kept.
 */
export function adam({ learningRate, beta1, beta2, epsilon }: AdamOptions, size: number): GradientStep {
  const first = new Float64Array(size);
  const second = new Float64Array(size);
  let [power1, power2] = [1, 1];
  return (parameters, gradient) => {
    power1 *= beta1;
    power2 *= beta2;
    return parameters.map((w, j) => {
      const g = gradient[j] as number;
      const m = beta1 * (first[j] as number) + (1 - beta1) * g;
      const v = beta2 * (second[j] as number) + (1 - beta2) * g * g;
      first[j] = m;
      second[j] = v;
      return w - (learningRate * (m / (1 - power1))) / (Math.sqrt(v / (1 - power2)) + epsilon);
    });
  };
}
