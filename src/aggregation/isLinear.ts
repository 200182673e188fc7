// SPDX-License-Identifier: Apache-2.0
import { type Recipe, serverOptimiserOf } from "../protocol/recipe.ts";
import { ruleOf } from "./rules.ts";

/**
 * Whether every model of a run is an exact linear function of all updates accepted before it, with the weights on record: neither order
 * statistics nor a server optimiser, which round. Provenance by weights, unlearning by subtraction and commitments that add up rest on it.
 */
export function isLinear(recipe: Pick<Recipe, "aggregation" | "serverOptimiser">): boolean {
  return !ruleOf(recipe.aggregation).coordinateWise && serverOptimiserOf(recipe) === undefined;
}
