// SPDX-License-Identifier: Apache-2.0
import { subset } from "../../data/subset.ts";
import { jacobianNorm } from "../../learning/algorithms/jacobianNorm.ts";
import { splitMaster } from "../../protocol/grid.ts";
import type { Federation } from "./federation.ts";

/** Mean ‖∂z/∂θ‖_F² of the global model over the first test samples (spec F9). */
export async function jacobianOf({ model, test, layout, master, config }: Federation): Promise<number> {
  const samples = Math.min(test.size, config.evaluate.jacobianSamples);
  const parameters = splitMaster(master, layout).view.slice(0, model.parameterCount);
  return jacobianNorm(
    model,
    parameters,
    subset(
      test,
      Array.from({ length: samples }, (_, i) => i),
    ),
  );
}
