// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";
import type { ModelConfig } from "../../protocol/recipe/modelConfig.ts";
import { parameterLayout, symmetryGroups } from "../layout.ts";
import { permuteUnits } from "./act.ts";
import { alignToReference } from "./align.ts";

/** Permutations of a model's exchangeable neurons, which change no output (spec B8.4). */
export interface ModelSymmetry {
  /** The same model in the order of neurons that lies closest to the reference; the identity where nothing is closer. */
  alignTo(parameters: Float32Array, reference: Float32Array, random: Random): Float32Array;
  /** gθ and g⁻¹θ for one g, a uniform permutation of the neurons of every group. */
  randomAction(
    parameters: Float32Array,
    random: Random,
  ): { readonly moved: Float32Array; readonly movedBack: Float32Array };
}

/** The permutations of a model's units, as client algorithms and attacks use them. */
export function modelSymmetry(config: ModelConfig): ModelSymmetry {
  const layout = parameterLayout(config);
  const groups = symmetryGroups(config).filter(({ kind }) => kind === "permutation");
  return {
    alignTo: (parameters, reference, random) => alignToReference(config, parameters, reference, random).parameters,
    randomAction(parameters, random) {
      const orders = groups.map(({ name, size }) => random.derive("permutation", name).permutation(size));
      let [moved, movedBack] = [parameters, parameters];
      for (const [g, group] of groups.entries()) moved = permuteUnits(layout, moved, group, orders[g] as number[]);
      // The inverse of a product is that of its factors in the opposite order.
      for (const [g, group] of [...groups.entries()].toReversed())
        movedBack = permuteUnits(layout, movedBack, group, inverseOf(orders[g] as number[]));
      return { moved, movedBack };
    },
  };
}

function inverseOf(order: readonly number[]): number[] {
  const inverse = new Array<number>(order.length);
  for (const [place, unit] of order.entries()) inverse[unit] = place;
  return inverse;
}
