// SPDX-License-Identifier: Apache-2.0
import type { FloatVector } from "./strategy.ts";

export interface Adam {
  /**
   * One step down the gradient, in place.
   *
   * @param learningRate of this step; the schedule is the caller's.
   */
  step(parameters: Float64Array, gradient: FloatVector, learningRate: number): void;
}

/**
 * Adam (Kingma & Ba 2015) with bias correction, β₁ = 0.9, β₂ = 0.999, ε = 1e-8, in float64 with + − × ÷ √ alone, so that every machine gets the
 * same bits. The moments start at zero.
 */
export function adam(size: number): Adam {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const mean = new Float64Array(size);
  const square = new Float64Array(size);
  // β₁^k and β₂^k by repeated multiplication: powers are not exact on every machine.
  let [decay1, decay2] = [1, 1];
  return {
    step(parameters, gradient, learningRate) {
      decay1 *= beta1;
      decay2 *= beta2;
      for (let j = 0; j < size; j++) {
        const g = gradient[j] as number;
        const m = beta1 * (mean[j] as number) + (1 - beta1) * g;
        const v = beta2 * (square[j] as number) + (1 - beta2) * g * g;
        mean[j] = m;
        square[j] = v;
        const step = (learningRate * (m / (1 - decay1))) / (Math.sqrt(v / (1 - decay2)) + epsilon);
        parameters[j] = (parameters[j] as number) - step;
      }
    },
  };
}
