// SPDX-License-Identifier: Apache-2.0
import { FoedusError } from "../protocol/errors.ts";
import type { ModelLayout } from "../protocol/layout.ts";

interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Parameter tensors of a model as an engine orders them. */
interface ParameterOrder {
  readonly layout: readonly NamedShape[];
}

/**
 * Requires that the recipe's layout lists the model's tensors in the engine's order, then those that its client algorithm sends beside them,
 * since all travel as one flat vector.
 * @throws FoedusError RECIPE_MISMATCH naming the first tensor that differs.
 */
export function requireLayout(
  { layout }: { readonly layout: ModelLayout },
  model: ParameterOrder,
  auxiliary: readonly NamedShape[] = [],
): void {
  const order = [...model.layout, ...auxiliary];
  const describe = (tensor: NamedShape | undefined): string =>
    tensor === undefined ? "nothing" : `${tensor.name} [${tensor.shape.join(", ")}]`;
  for (let i = 0; i < Math.max(layout.tensors.length, order.length); i++) {
    const [declared, needed] = [describe(layout.tensors[i]), describe(order[i])];
    if (declared === needed) continue;
    throw new FoedusError(
      "RECIPE_MISMATCH",
      `The recipe's layout has ${declared} at place ${i}; its model and client algorithm have ${needed} there. Ask the run's sponsor for a run with a sound recipe.`,
      {
        values: { place: i, declared, needed },
      },
    );
  }
}
