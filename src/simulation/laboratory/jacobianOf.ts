// SPDX-License-Identifier: Apache-2.0
import { jacobianNorm } from "../../learning/algorithms/jacobianNorm.ts";
import { marginDistance } from "../../learning/algorithms/marginDistance.ts";
import type { Federation } from "./federation.ts";

type Measured = Pick<Federation, "model" | "test" | "config">;

/** Mean ‖∂z/∂θ‖_F² of the global model over the first test samples (spec F9). */
export async function jacobianOf({ model, test, config }: Measured, parameters: Float32Array): Promise<number> {
  return jacobianNorm(model, parameters, test, config.evaluate.jacobianSamples);
}

/** How far, on the mean, the parameters are from where one of the first test samples changes its class (spec B10.5); negative for what is misclassified. */
export async function marginOf({ model, test }: Measured, parameters: Float32Array, samples: number): Promise<number> {
  return marginDistance(model, parameters, test, samples);
}
