// SPDX-License-Identifier: Apache-2.0
import { AGREED_ENGINE } from "../learning/engines/agreed.ts";
import { parameterLayout } from "../learning/layout.ts";
import type { ModelConfig } from "../protocol/recipe/modelConfig.ts";
import type { RecipeDraft } from "../round/prepareRun.ts";

/** Fraction bits of every tensor: updates reach ±64 in steps of 4e-6. */
const FRACTION_BITS = 18;

/** Recipe of the demo: an MLP on the digits, momentum SGD, ByzFed, exact scoring on public held-out data. */
export function demoRecipe(inputs: number, classes: number): RecipeDraft {
  const model: ModelConfig = { kind: "mlp", inputs, hidden: [32], classes, activation: "relu" };
  return {
    version: 1,
    name: "digits-demo",
    model,
    layout: parameterLayout(model).map(({ name, shape }) => ({
      name,
      shape: [...shape],
      fractionBits: FRACTION_BITS,
      group: 0,
    })),
    training: { localSteps: 80, batchSize: 20, learningRate: 0.05, momentum: 0.9 },
    update: {
      codec: { name: "int8", blockSize: 128 },
      // ±4 in one coordinate, norm 64: an honest update has norm 1 to 4, and the attacker's ×4 passes, so that the rule has to see it.
      maxCoordinate: 4 * 2 ** FRACTION_BITS,
      maxNormSq: (64n * 64n * (1n << BigInt(2 * FRACTION_BITS))).toString(),
    },
    // τ = 1.5 expels honest members at five participants (measured); τ = 2 does not.
    aggregation: { rule: "byzfed", parameters: { filter: "tau", tau: 2, sizeWeighted: false } },
    scoring: {
      mode: "exact",
      // Five players have 32 coalitions, each evaluated once, so many orders cost little and leave little to chance.
      permutations: 200,
      truncation: 0,
      engine: { package: "onnxruntime-web", version: AGREED_ENGINE.version, batchSize: 120 },
    },
    criterion: { progress: 655, tolerance: 655, maxUpdateNorm: 0.5 },
  };
}
