// SPDX-License-Identifier: Apache-2.0
import type { Random } from "../../protocol/random.ts";

/** Permutations of a model's exchangeable neurons, which change no output (spec B8.4). */
export interface ModelSymmetry {
  /** The same model in the order of neurons that lies closest to the reference; the identity where nothing is closer. */
  alignTo(parameters: Float32Array, reference: Float32Array, random: Random, sweeps: number): Float32Array;
  /** gθ and g⁻¹θ for a random permutation g of every group. */
  randomAction(
    parameters: Float32Array,
    random: Random,
  ): { readonly moved: Float32Array; readonly movedBack: Float32Array };
}
