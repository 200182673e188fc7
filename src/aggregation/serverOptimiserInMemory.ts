// SPDX-License-Identifier: Apache-2.0
import { type Recipe, serverOptimiserOf } from "../protocol/recipe.ts";
import { momentsOf, type ServerState } from "../protocol/serverState.ts";
import { masterInMemory } from "./masterInMemory.ts";
import type { ServerOptimiser } from "./serverOptimiser.ts";

/** A run's server optimiser over a state that fits into memory; undefined for a run without one. `after` is what the next checkpoint holds. */
export function serverOptimiserInMemory(
  recipe: Pick<Recipe, "serverOptimiser">,
  before: ServerState,
): { readonly files: ServerOptimiser; readonly after: ServerState } | undefined {
  const config = serverOptimiserOf(recipe);
  if (config === undefined) return undefined;
  const files = momentsOf(config).map((moment) => [moment, masterInMemory(before[moment] as Float64Array)] as const);
  return {
    files: { config, state: Object.fromEntries(files) },
    after: Object.fromEntries(files.map(([moment, { after }]) => [moment, after])),
  };
}
