// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import type { ModelLayout } from "../protocol/layout.ts";

/** Parameter tensors of a model as an engine orders them. */
interface ParameterOrder {
  readonly layout: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/**
 * Requires that the recipe's layout lists the model's tensors in the engine's order, since parameters travel as one flat vector.
 * @throws FoedusError RECIPE_MISMATCH naming the first tensor that differs.
 */
export function requireLayout({ layout }: { readonly layout: ModelLayout }, model: ParameterOrder): void {
  const describe = (tensor: { name: string; shape: readonly number[] } | undefined): string =>
    tensor === undefined ? "nothing" : `${tensor.name} [${tensor.shape.join(", ")}]`;
  for (let i = 0; i < Math.max(layout.tensors.length, model.layout.length); i++) {
    const [declared, needed] = [describe(layout.tensors[i]), describe(model.layout[i])];
    if (declared === needed) continue;
    throw new FoedusError(
      "RECIPE_MISMATCH",
      `The recipe's layout has ${declared} at place ${i}; its model has ${needed} there. Ask the run's sponsor for a run with a sound recipe.`,
      {
        values: { place: i, declared, needed },
      },
    );
  }
}
