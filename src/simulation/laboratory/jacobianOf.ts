// SPDX-License-Identifier: Apache-2.0
import { subset } from "../../data/subset.ts";
import { jacobianNorm } from "../../learning/algorithms/jacobianNorm.ts";
import type { Federation } from "./federation.ts";

/** Mean ‖∂z/∂θ‖_F² of the global model over the first test samples (spec F9). */
export async function jacobianOf({ model, test, config }: Federation, parameters: Float32Array): Promise<number> {
  const samples = Math.min(test.size, config.evaluate.jacobianSamples);
  return jacobianNorm(
    model,
    parameters,
    subset(
      test,
      Array.from({ length: samples }, (_, i) => i),
    ),
  );
}
